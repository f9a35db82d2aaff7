--
-- What is damaged in a table is answered as damage, XX001, and not as if the
-- caller had asked for something wrong; and what does not depend on it goes on
--
\getenv test_dir PG_ABS_SRCDIR
\set ECHO none
\i :test_dir/lib/attack.sql
\set ECHO all

SELECT model_id AS v1 FROM modelreg_register('artifact', 'forest', '0.1.0', 'churn', '{"f1": 0.8}') \gset
SELECT model_id AS v2 FROM modelreg_register(convert_to(repeat('x', 300000), 'UTF8'), 'forest', '0.2.0', 'churn', '{"f1": 0.9}') \gset
SELECT modelreg_upload_begin() AS u \gset
SELECT modelreg_upload_append(:'u', 'content');
SELECT model_id AS files FROM modelreg_register_files('{a}', ARRAY[:'u']::uuid[], 'forest', model_name => 'files', performance_metrics => '{"f1": 0.1}') \gset

-- What the call says after the damage, which is undone
CREATE FUNCTION after_damage(damage text, call text) RETURNS text
	LANGUAGE plpgsql
	AS $$
BEGIN
	SET LOCAL session_replication_role = replica;
	ALTER TABLE modelreg.model DISABLE TRIGGER ALL;
	ALTER TABLE modelreg.model_version DISABLE TRIGGER ALL;
	ALTER TABLE modelreg.version_file DISABLE TRIGGER ALL;
	ALTER TABLE modelreg.artifact DISABLE TRIGGER ALL;
	EXECUTE damage;
	ALTER TABLE modelreg.model ENABLE TRIGGER ALL;
	ALTER TABLE modelreg.model_version ENABLE TRIGGER ALL;
	SET LOCAL session_replication_role = origin;
	EXECUTE call;
	RAISE EXCEPTION USING ERRCODE = 'P9999', MESSAGE = 'done';
EXCEPTION
	WHEN SQLSTATE 'P9999' THEN
		RETURN SQLERRM;
	WHEN others THEN
		RETURN mask(SQLSTATE || ' ' || SQLERRM);
END
$$;

-- Sizes and where the bytes are
SELECT d.what, c.what AS call, after_damage(replace(d.statement, ':v', quote_literal(:'v2')), replace(c.statement, ':v', quote_literal(:'v2'))) AS said
FROM (VALUES
	(1, 'the version says 5 GB', 'UPDATE modelreg.model_version SET artifact_size = 5000000000 WHERE model_id = :v'),
	(2, 'the artifact says so', 'UPDATE modelreg.artifact SET artifact_size = 5000000000 WHERE artifact_size = 300000'),
	(3, 'both say so', 'UPDATE modelreg.model_version SET artifact_size = 5000000000 WHERE model_id = :v; UPDATE modelreg.artifact SET artifact_size = 5000000000 WHERE artifact_size = 300000'),
	(4, 'the version says -1', 'UPDATE modelreg.model_version SET artifact_size = -1 WHERE model_id = :v'),
	(5, 'both say -1', 'UPDATE modelreg.model_version SET artifact_size = -1 WHERE model_id = :v; UPDATE modelreg.artifact SET artifact_size = -1 WHERE artifact_size = 300000'),
	(6, 'the version says 3', 'UPDATE modelreg.model_version SET artifact_size = 3 WHERE model_id = :v'),
	(7, 'a checksum that is none', 'UPDATE modelreg.model_version SET checksum = ''x'' WHERE model_id = :v'),
	(8, 'a storage that is none', 'UPDATE modelreg.artifact SET storage = ''floppy'' WHERE artifact_size = 300000')
) AS d (n, what, statement), (VALUES
	(1, 'load', 'SELECT modelreg_load(:v)'),
	(2, 'load_latest', 'SELECT artifact FROM modelreg_load_latest(model_name => ''churn'')'),
	(3, 'download', 'SELECT modelreg_download(:v)'),
	(4, 'download from 100', 'SELECT modelreg_download(:v, 100)')
) AS c (n, what, statement)
ORDER BY d.n, c.n;
SELECT d.damage, after_damage(d.damage, format('SELECT modelreg_load(%L, path => ''a'')', :'files')) AS said
FROM unnest(ARRAY['UPDATE modelreg.version_file SET artifact_size = 5000000000', 'UPDATE modelreg.version_file SET artifact_size = -1',
	'UPDATE modelreg.version_file SET sha256 = ''\x00''', 'UPDATE modelreg.version_file SET sha256 = sha256(sha256)']) AS d (damage);

-- Counters
SELECT d.change, c.what AS call, after_damage(format('UPDATE modelreg.model SET %s WHERE model_name = ''churn''', d.change), replace(c.statement, ':v', quote_literal(:'v2'))) AS said
FROM (VALUES
	(1, 'highest_version = ''x'''),
	(2, 'highest_version = ''0.0.1'''),
	(3, 'last_version_number = 1'),
	(4, 'last_version_number = -1'),
	(5, 'last_version_number = 2147483647'),
	(6, 'last_id_suffix = -1'),
	(7, 'last_id_suffix = 2147483647'),
	(8, 'audit_seq = 2'),
	(9, 'audit_seq = -1'),
	(10, 'audit_seq = 9223372036854775807'),
	(11, 'audit_at = ''infinity'''),
	(12, 'audit_hash = ''\x00'''),
	(13, 'last_registered_at = ''infinity''')
) AS d (n, change), (VALUES
	(1, 'register', 'SELECT modelreg_register(''new'', ''forest'', model_name => ''churn'', performance_metrics => ''{"f1": 1}'')'),
	(2, 'move', 'SELECT modelreg_update_stage(:v, ''staging'')'),
	(3, 'load', 'SELECT modelreg_load(:v)')
) AS c (n, what, statement)
ORDER BY d.n, c.n;
-- a version that exists is still the caller's
SELECT attempt('SELECT modelreg_register(''new'', ''forest'', ''0.2.0'', ''churn'', ''{"f1": 1}'')') AS said;

-- JSON that is no object
SELECT d.change, c.statement AS call, after_damage(format('UPDATE modelreg.model_version SET %s WHERE model_id = %L', d.change, :'v2'), replace(c.statement, ':v', quote_literal(:'v2'))) AS said
FROM (VALUES
	(1, 'properties = ''"s"''', 'SELECT modelreg_update(:v, properties => ''{"a": 1}'')'),
	(2, 'properties = ''"s"''', 'SELECT modelreg_update(:v, notes => ''other'')'),
	(3, 'properties = ''"s"''', 'SELECT modelreg_delete(:v)'),
	(4, 'model_config = ''[1]''', 'SELECT modelreg_delete(:v)'),
	(5, 'performance_metrics = ''"s"''', 'SELECT modelreg_update(:v, performance_metrics => ''{"f1": 1}'')'),
	(6, 'performance_metrics = ''"s"''', 'SELECT count(*) FROM modelreg_list()')
) AS d (n, change, statement), LATERAL (SELECT d.statement) AS c (statement)
ORDER BY d.n;

DROP FUNCTION after_damage(text, text);
\set ECHO none
\i :test_dir/lib/attack_end.sql
