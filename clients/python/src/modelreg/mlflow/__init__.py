"""MLflow on modelreg: a model registry store, an artifact repository, and the migration.

MLflow finds the first two by their entry points, for URIs ``modelreg+postgresql://…``. This
package is imported by MLflow only, or for :func:`modelreg.mlflow.importing.import_mlflow`; it
needs the extra ``modelreg[mlflow]``.
"""
