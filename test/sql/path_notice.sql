--
-- An artifact that looks like a path: it is told, and registered
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;

SELECT checksum = encode(sha256('models/fraud.pkl'), 'hex') AS registered FROM modelreg_register('models/fraud.pkl', 'path', performance_metrics => '{"f1": 0.5}');
SELECT FROM modelreg_register(convert_to(E'C:\\models\\Fraud V2.ONNX\n', 'UTF8'), 'path', performance_metrics => '{"f1": 0.5}');
SELECT FROM modelreg_register(convert_to(U&'mod\00E8les/\6A21\578B.safetensors', 'UTF8'), 'path', performance_metrics => '{"f1": 0.5}');
SELECT FROM modelreg_register(convert_to(repeat('/x', 500) || '.tar.gz', 'UTF8'), 'path', performance_metrics => '{"f1": 0.5}');
SELECT modelreg_upload_begin() AS upload \gset
SELECT modelreg_upload_append(:'upload', 'models/fraud');
SELECT modelreg_upload_append(:'upload', '.joblib');
SELECT FROM modelreg_register_upload(:'upload', 'path', performance_metrics => '{"f1": 0.5}');
-- these do not look so
SELECT count(*) FROM (VALUES
	('a text'), ('model.pkl and more'), ('model.pkl.'), (E'a\nmodel.pkl'), (E'model.pkl\n\n'), (repeat('x', 1024) || '.pkl'), ('{"path": "model.pkl"}'), ('.pk')
) AS v (t), LATERAL modelreg_register(convert_to(t, 'UTF8'), 'path', performance_metrics => '{"f1": 0.5}');
SELECT count(*) FROM modelreg_register('\x806d6f64656c2e706b6c', 'path', performance_metrics => '{"f1": 0.5}');
