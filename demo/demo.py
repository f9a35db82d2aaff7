#!/usr/bin/env python3
"""A model's life in the registry, from training to cleanup.

Trains scikit-learn's IsolationForest on the breast cancer data that come with
scikit-learn and takes it through the registry as four people would: the trainer
registers, the releaser promotes, the service loads, the administrator looks
after it all.  Every step says what it does and checks what came of it; the first
check that fails ends the demo with an error.

`make demo` runs it against a server made for it.  On a server of your own (as a
superuser, found by PGHOST and so on) it works in a database "modelreg_demo",
which it makes and removes, as it does the roles demo_trainer, demo_releaser
and demo_service.
"""

import hashlib
import json
import os
import pickle
import random
import subprocess

import psycopg
from psycopg import errors
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import (
    f1_score, precision_score, recall_score, roc_auc_score)
from sklearn.model_selection import train_test_split

DATABASE = "modelreg_demo"
ROLES = {"demo_trainer": "modelreg_writer",
         "demo_releaser": "modelreg_admin",
         "demo_service": "modelreg_reader"}
MODEL = "tumour_screening"
TYPE = "isolation_forest"

steps = 0


# What the steps use


def step(title):
    global steps
    steps += 1
    print(f"\n{steps}. {title}")


def check(holds, what):
    if not holds:
        raise AssertionError(what)
    print(f"   ok: {what}")


def refused(error_class, connection, query, *args):
    """Run a statement that must fail with error_class, and show its message."""
    try:
        connection.execute(query, args)
    except error_class as error:
        print(f"   refused ({error.sqlstate}): {error.diag.message_primary}")
        if error.diag.message_hint:
            print(f"      hint: {error.diag.message_hint}")
    else:
        raise AssertionError(f"this was not refused: {query}")


def show(rows, *columns):
    """Print these columns of the rows as a table."""
    lines = [columns] + [
        [str(getattr(row, column)) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths))
        print("   " + "  ".join(cells).rstrip())


def psql(commands):
    """Run commands in the real psql and print what it prints."""
    program = os.path.join(os.environ.get("MODELREG_PG_BINDIR", ""), "psql")
    output = subprocess.run(
        [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", DATABASE],
        input=commands, check=True, text=True, stdout=subprocess.PIPE).stdout
    print("   " + output.rstrip().replace("\n", "\n   "))
    return output


def connect(role=None):
    """Connect to the demo's database, every statement a transaction of its own."""
    connection = psycopg.connect(dbname=DATABASE, autocommit=True,
                                 row_factory=namedtuple_row)
    if role:
        # A real client would log in as this role.
        connection.execute(f"SET SESSION AUTHORIZATION {role}")
    return connection


# The model


def load_data():
    """Benign tumours to learn what is normal; all kinds, unseen, to judge."""
    data = load_breast_cancer()
    malignant = (data.target == 0).astype(int)
    train, held_out, train_malignant, held_out_malignant = train_test_split(
        data.data, malignant, test_size=0.5, stratify=malignant, random_state=0)
    return train[train_malignant == 0], held_out, held_out_malignant


def find_anomalies(model, samples):
    return (model.predict(samples) == -1).astype(int)


def evaluate(model, samples, malignant):
    found = find_anomalies(model, samples)
    return {
        "f1_score": round(f1_score(malignant, found), 4),
        "precision": round(precision_score(malignant, found), 4),
        "recall": round(recall_score(malignant, found), 4),
        "roc_auc": round(roc_auc_score(malignant,
                                       -model.score_samples(samples)), 4),
    }


def train(data, **config):
    """Train with these hyperparameters; the model, and what to register of it."""
    normal, held_out, malignant = data
    model = IsolationForest(random_state=0, **config).fit(normal)
    return model, {
        "artifact": pickle.dumps(model),
        "model_config": Jsonb(model.get_params()),
        "training_metadata": Jsonb({"samples": len(normal)}),
        "performance_metrics": Jsonb(evaluate(model, held_out, malignant)),
    }


def register(connection, trained, **more):
    """Register what train() gave; returns the new version's row."""
    arguments = {"model_type": TYPE, "model_name": MODEL, **trained, **more}
    named = ", ".join(f"{name} => %({name})s" for name in arguments)
    return connection.execute(
        f"SELECT * FROM modelreg_register({named})", arguments).fetchone()


# The steps


def initialize(admin):
    step("Make the registry (self-test 1: initialization)")
    admin.execute("CREATE EXTENSION modelreg")
    for role, group in ROLES.items():
        admin.execute(f"CREATE ROLE {role} IN ROLE {group}")
        print(f"   {role} is a member of {group}")
    sound = admin.execute("SELECT * FROM modelreg_check()").fetchall()
    check(all(row.ok for row in sound),
          f"modelreg_check() finds nothing wrong in {len(sound)} points")
    count = admin.execute("SELECT count(*) FROM modelreg_list()").fetchone()[0]
    check(count == 0, "the registry is empty")


def register_two(trainer, data):
    step("Train and register two versions (self-test 2: registration)")
    models, versions = [], []
    model, trained = train(data, n_estimators=50, max_samples=64)
    models.append(model)
    versions.append(register(
        trainer, trained, version="1.0.0", tags=["baseline"],
        dataset_version="breast-cancer-wisconsin-1995",
        notes="Few small trees, as a baseline.",
        expected_checksum=hashlib.sha256(trained["artifact"]).hexdigest()))

    model, trained = train(data, n_estimators=100)
    models.append(model)
    versions.append(register(
        trainer, trained, version="1.1.0", tags=["candidate"],
        dataset_version="breast-cancer-wisconsin-1995",
        notes="More and larger trees.", deployment_stage="staging",
        parent_ids=[versions[0].model_id]))

    for model, version in zip(models, versions):
        print(f"   {version.model_id}: {version.version}, "
              f"{version.artifact_size} bytes, {version.performance_metrics}")
        check(version.checksum == hashlib.sha256(pickle.dumps(model)).hexdigest(),
              "its checksum is the SHA-256 of the pickled model")
    check([v.version_number for v in versions] == [1, 2], "they are numbered 1, 2")
    check(versions[1].parent_ids == [versions[0].model_id],
          "the second names the first as its parent")
    refused(errors.UniqueViolation, trainer,
            "SELECT FROM modelreg_register(%s, %s, version => %s,"
            " model_name => %s, performance_metrics => %s)",
            b"other bytes", TYPE, "1.0.0", MODEL, Jsonb({"f1_score": 0.9}))
    return models, versions


def list_versions(service):
    step("List what is registered, newest first (self-test 3: listing)")
    rows = service.execute("SELECT * FROM modelreg_list(model_type => %s)",
                           [TYPE]).fetchall()
    show(rows, "model_id", "version", "deployment_stage", "tags", "notes")
    check([row.version for row in rows] == ["1.1.0", "1.0.0"], "both are there")
    good = service.execute(
        "SELECT * FROM modelreg_list(tags => %s, min_performance => %s)",
        [["candidate"], Jsonb({"roc_auc": 0.9})]).fetchall()
    check([row.version for row in good] == ["1.1.0"],
          "a filter by tag and metric finds the candidate alone")


def compare(service, versions):
    step("Compare them side by side (self-test 5: comparison)")
    ids = ", ".join(f"'{version.model_id}'" for version in versions)
    output = psql(f"""
        SELECT metric, version, round(value::numeric, 4) AS value
        FROM modelreg_compare(ARRAY[{ids}]) \\crosstabview metric version value
        """)
    for version in versions:
        check(all(f"{value:.4f}" in output
                  for value in version.performance_metrics.values()),
              f"psql shows all metrics of {version.version}")
    best = service.execute(
        "SELECT version, delta FROM modelreg_compare(%s)"
        " WHERE metric = 'f1_score' AND is_best",
        [[version.model_id for version in versions]]).fetchone()
    check(best.version == "1.1.0",
          f"by f1_score {best.version} is the best, {best.delta:+.4f}")


def stages(connection):
    rows = connection.execute(
        "SELECT version, deployment_stage FROM modelreg_list(model_name => %s)"
        " ORDER BY version_number", [MODEL]).fetchall()
    return {row.version: row.deployment_stage for row in rows}


def move(connection, version, stage, reason):
    connection.execute(
        "SELECT FROM modelreg_update_stage(%s, %s, reason => %s)",
        [version.model_id, stage, reason])
    now = stages(connection)
    print(f"   {version.version} to {stage} ({reason}); now: "
          + ", ".join(f"{v} {s}" for v, s in now.items()))
    return now


def promote(trainer, releaser, service, versions):
    step("Promote the one, then the other")
    first, second = versions
    service.execute("LISTEN modelreg")
    refused(errors.InsufficientPrivilege, trainer,
            "SELECT FROM modelreg_update_stage(%s, 'production')",
            first.model_id)
    now = move(releaser, first, "production", "the first release")
    check(now["1.0.0"] == "production", "1.0.0 is in production")
    between = releaser.execute("SELECT clock_timestamp()").fetchone()[0]
    now = move(releaser, second, "production",
               "higher f1_score, nearly the same recall")
    check(now == {"1.0.0": "deprecated", "1.1.0": "production"},
          "1.1.0 took its place, and 1.0.0 had to leave")
    return between


def wait_for_event(service, model_id):
    step("The service hears of it")
    for notification in service.notifies(timeout=10):
        print(f"   {notification.channel}: {notification.payload}")
        event = json.loads(notification.payload)
        if (event["model_id"], event["stage"]) == (model_id, "production"):
            print("   ok: this one is in production now")
            return
    raise AssertionError("no notification of the promotion came")


def load_latest(service, expected, model, data):
    step("Load the newest production version (self-test 4: load latest)")
    row = service.execute(
        "SELECT * FROM modelreg_load_latest("
        "model_type => %s, deployment_stage => 'production')",
        [TYPE], binary=True).fetchone()
    check(row.model_id == expected.model_id,
          f"it is {row.model_id}, {len(row.artifact)} bytes, verified")
    # Unpickling runs what is in the pickle: load only what you trust.
    loaded = pickle.loads(row.artifact)
    _, held_out, _ = data
    found = find_anomalies(loaded, held_out)
    print(f"   the first ten of {len(found)} predictions: {found[:10]}")
    check(set(found) == {0, 1}, "the predictions are 0 and 1")
    check((found == find_anomalies(model, held_out)).all()
          and (loaded.score_samples(held_out)
               == model.score_samples(held_out)).all(),
          "predictions and scores equal those of the model in memory")


def roll_back(releaser, versions, between):
    step("Roll back")
    first, second = versions
    now = move(releaser, first, "production", "recall dropped in the field")
    check(now == {"1.0.0": "production", "1.1.0": "deprecated"},
          "1.0.0 is back, and 1.1.0 had to leave")
    then = releaser.execute("SELECT * FROM modelreg_at(%s, %s)",
                            [between, MODEL]).fetchall()
    print("   as of the time between the releases:")
    show(then, "version", "deployment_stage")
    check([row.version for row in then if row.deployment_stage == "production"]
          == ["1.0.0"], "modelreg_at() knows what was live between the releases")


def withdraw(releaser, service, versions):
    step("Take it out of production (self-test 6: update stage)")
    now = move(releaser, versions[0], "staging", "pause for an investigation")
    check(now["1.0.0"] == "staging", "1.0.0 went from production to staging")
    row = service.execute("SELECT FROM modelreg_find_latest("
                          "model_name => %s, deployment_stage => 'production')",
                          [MODEL]).fetchone()
    check(row is None, "nothing is in production")
    now = move(releaser, versions[0], "production", "investigation closed")
    check(now["1.0.0"] == "production", "1.0.0 is in production again")


FLIP_A_BIT = """
    UPDATE modelreg.chunk_piece AS p
    SET data = set_byte(p.data, 100, get_byte(p.data, 100) # 1)
    FROM modelreg.artifact_chunk AS c JOIN modelreg.artifact AS a USING (content)
    WHERE a.sha256 = decode(%s, 'hex') AND c.chunk_no = 0
        AND p.chunk = c.chunk AND p.piece_no = 0
    """


def tamper(admin, service, version):
    step("Tamper with a stored byte, as a superuser")
    refused(errors.InsufficientPrivilege, admin, FLIP_A_BIT, version.checksum)
    with admin.transaction():
        admin.execute("ALTER TABLE modelreg.chunk_piece DISABLE TRIGGER ALL")
        changed = admin.execute(FLIP_A_BIT, [version.checksum]).rowcount
        check(changed == 1, "with the triggers disabled, one bit is flipped")
    row = admin.execute("SELECT * FROM modelreg_verify(%s)",
                        [version.model_id]).fetchone()
    print(f"   modelreg_verify: {row.problem}")
    check(not row.ok and row.actual != row.expected == version.checksum,
          "verify finds the wrong checksum")
    refused(errors.DataCorrupted, service,
            "SELECT modelreg_load(%s)", version.model_id)
    refused(errors.DataCorrupted, service,
            "SELECT FROM modelreg_load_latest(model_name => %s,"
            " deployment_stage => 'production')", MODEL)
    broken = admin.execute(
        "SELECT detail FROM modelreg_check() WHERE NOT ok").fetchall()
    check(len(broken) == 1 and "chunk_piece" in broken[0].detail,
          f"modelreg_check() names the triggers: {broken[0].detail}")


def repair(admin, trainer, service, model, version):
    step("Repair it: register the right bytes again")
    for trigger in ("chunk_piece_row_guard", "chunk_piece_statement_guard"):
        admin.execute("ALTER TABLE modelreg.chunk_piece"
                      f" ENABLE ALWAYS TRIGGER {trigger}")
    trainer.execute(
        "SELECT FROM modelreg_register(%s, 'isolation_forest', model_name => 'rescue',"
        """ performance_metrics => '{"auc_roc": 0.5}')""", [pickle.dumps(model)])
    healed = admin.execute("SELECT new_values FROM modelreg_history('rescue')"
                           " WHERE event = 'repair'").fetchone()
    check(healed and healed.new_values["checksum"] == version.checksum,
          "the trail says which bytes were healed")
    rows = admin.execute("SELECT * FROM modelreg_verify()").fetchall()
    check(rows and all(row.ok for row in rows),
          f"verify finds all {len(rows)} versions sound")
    loaded = service.execute("SELECT modelreg_load(%s)", [version.model_id],
                             binary=True).fetchone()[0]
    check(hashlib.sha256(loaded).hexdigest() == version.checksum,
          "the model loads again")
    check(all(row.ok for row in admin.execute("SELECT * FROM modelreg_check()")),
          "the triggers are as they should be")


def upload(trainer, data, name, part=1024 * 1024):
    """Stream data into a new version, part by part."""
    with trainer.transaction():
        upload_id = trainer.execute("SELECT modelreg_upload_begin()").fetchone()[0]
        for start in range(0, len(data), part):
            trainer.execute("SELECT modelreg_upload_append(%s, %b, byte_offset => %s)",
                            [upload_id, data[start:start + part], start])
        return trainer.execute(
            "SELECT * FROM modelreg_register_upload(%s, 'embedding', model_name => %s,"
            """ performance_metrics => '{"recall": 0.9}')""", [upload_id, name]).fetchone()


def stream(trainer, service):
    step("Stream a larger model in and out, and a variant of it")
    weights = random.Random(0).randbytes(16 * 1024 * 1024)
    tuned = weights[:5_000_000] + b"a layer" * 50_000 + weights[5_350_000:]
    for name, data in (("embedding", weights), ("embedding tuned", tuned)):
        version = upload(trainer, data, name)
        with service.cursor() as cursor, cursor.copy(
                "COPY (SELECT modelreg_download(%s)) TO STDOUT (FORMAT binary)",
                [version.model_id]) as copy:
            copy.set_types(["bytea"])
            digest = hashlib.sha256()
            for (piece,) in copy.rows():
                digest.update(piece)
        check(digest.hexdigest() == hashlib.sha256(data).hexdigest() == version.checksum,
              f"{version.model_id}: {version.artifact_size} bytes came back as they went in")
    usage = service.execute(
        "SELECT pg_size_pretty(sum(logical_bytes)) AS logical,"
        " pg_size_pretty(sum(saved_by_sharing)) AS shared,"
        " sum(saved_by_sharing) / sum(logical_bytes) AS share"
        " FROM modelreg.storage_usage WHERE model_name IS NULL").fetchone()
    check(usage.share > 0.4, f"of {usage.logical}, {usage.shared} are shared")


def clean_up(trainer, releaser, data):
    step("Retrain every night, and keep the newest three")
    for night in range(3):
        _, trained = train(data, n_estimators=20 + night)
        version = register(trainer, trained, tags=["nightly"])
        print(f"   {version.model_id}: {version.version}")
    releaser.execute("SELECT FROM modelreg_update_model(%s, max_versions => 3)",
                     [MODEL])
    refused(errors.ObjectInUse, releaser,
            "SELECT modelreg_delete((SELECT model_id FROM"
            " modelreg_find_latest(deployment_stage => 'production')))")
    preview = releaser.execute(
        "SELECT * FROM modelreg_cleanup_preview()").fetchall()
    show(preview, "model_id", "version", "deployment_stage", "reason")
    check([row.version for row in preview] == ["1.1.0"],
          "1.1.0 would go; 1.0.0 is older, but in production")
    deleted = releaser.execute("CALL modelreg_cleanup()").fetchone().deleted
    check(deleted == 1, "cleanup deleted one version")
    check(list(stages(releaser)) == ["1.0.0", "1.2.0", "1.3.0", "1.4.0"],
          "the others are still there")
    check(all(row.ok for row in releaser.execute("SELECT * FROM modelreg_verify()")),
          "and their bytes too")


def show_trail(service):
    step("Show the trail, and verify it")
    trail = service.execute(
        "SELECT seq, to_char(at, 'HH24:MI:SS') AS at, actor, event,"
        " coalesce(model_id, '') AS model_id,"
        " coalesce(new_values ->> 'deployment_stage', '') AS stage, reason"
        " FROM modelreg_history(model_name => %s)", [MODEL]).fetchall()
    show(trail, "seq", "at", "actor", "event", "model_id", "stage", "reason")
    events = [event.event for event in trail]
    check(events.count("register") == 5 and events.count("delete") == 1
          and events.count("stage") == 7,
          "five registrations, seven moves and a deletion are in it")
    check({event.actor for event in trail} == {"demo_trainer", "demo_releaser"},
          "it knows who did what")
    anchor = service.execute("SELECT modelreg_audit_head()").fetchone()[0]
    chains = service.execute(
        "SELECT coalesce(model_name, '(registry)') AS model_name, events, ok"
        " FROM modelreg_audit_verify(anchor => %s)", [Jsonb(anchor)]).fetchall()
    show(chains, "model_name", "events", "ok")
    check(chains and all(chain.ok for chain in chains),
          "the chains are whole, and agree with the tables and the anchor")


def run():
    data = load_data()
    with (connect() as admin, connect("demo_trainer") as trainer,
          connect("demo_releaser") as releaser,
          connect("demo_service") as service):
        models, versions = register_two(trainer, data)
        list_versions(service)
        compare(service, versions)
        between = promote(trainer, releaser, service, versions)
        wait_for_event(service, versions[1].model_id)
        load_latest(service, versions[1], models[1], data)
        roll_back(releaser, versions, between)
        withdraw(releaser, service, versions)
        tamper(admin, service, versions[0])
        repair(admin, trainer, service, models[0], versions[0])
        stream(trainer, service)
        clean_up(trainer, releaser, data)
        show_trail(service)


def remove_everything(server):
    server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    server.execute("DROP ROLE IF EXISTS " + ", ".join(ROLES))


def main():
    with psycopg.connect(dbname="postgres", autocommit=True) as server:
        remove_everything(server)
        server.execute(f"CREATE DATABASE {DATABASE}")
        try:
            with connect() as admin:
                initialize(admin)
            run()
        finally:
            remove_everything(server)
    print(f"\nAll {steps} steps did what they should.")


if __name__ == "__main__":
    main()
