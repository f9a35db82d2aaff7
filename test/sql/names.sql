--
-- Names: what nobody can see, or write in two ways, is none
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;

CREATE FUNCTION pg_temp.said(name text) RETURNS text
	LANGUAGE plpgsql
	AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	PERFORM modelreg_register('x', 'm', model_name => name, performance_metrics => '{"f1": 0.5}');
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || SQLERRM || coalesce(' ' || nullif(detail, ''), '') || coalesce(' ' || nullif(hint, ''), '');
END
$$;

-- Normalization: composed, decomposed, reordered marks, singletons, Hangul
SELECT what, pg_temp.said(name) FROM (VALUES
	(1, 'composed', U&'caf\00E9'), (2, 'decomposed', U&'cafe\0301'), (3, 'marks in order', U&'q\0323\0307'), (4, 'marks out of order', U&'q\0307\0323'),
	(5, 'Angstrom sign', U&'\212B'), (6, 'Ohm sign', U&'k\2126'), (7, 'Hangul syllable', U&'\AC01'), (8, 'Hangul jamo', U&'\1100\1161\11A8'),
	(9, 'ligature', U&'\FB01t'), (10, 'excluded from composition', U&'\0958'), (11, 'long', repeat(U&'e\0301', 128)), (12, 'Greek', U&'\03AC\03BB\03C6\03B1'),
	(13, 'Vietnamese', U&'\1EBF'), (14, 'Devanagari', U&'\0939\093F\0928\094D\0926\0940')
) AS v (n, what, name) ORDER BY n;

-- Spaces
SELECT what, pg_temp.said(name) FROM (VALUES
	(1, 'a space', 'a b'), (2, 'at the end', 'a '), (3, 'no-break at the end', U&'a\00A0'), (4, 'no-break at the beginning', U&'\00A0a'), (5, 'no-break within', U&'a\00A0b'),
	(6, 'narrow', U&'a\202Fb'), (7, 'ideographic', U&'\3042\3000\3044'), (8, 'line separator', U&'a\2028b'), (9, 'nothing else', U&'\2003')
) AS v (n, what, name) ORDER BY n;

-- Invisible, and bidirectional controls
SELECT to_hex(c) AS code_point, pg_temp.said('a' || chr(c) || 'b') AS within, pg_temp.said('a' || chr(c)) = pg_temp.said(chr(c) || 'b') AS same_at_the_ends
FROM unnest(ARRAY[x'00AD', x'034F', x'061C', x'115F', x'17B4', x'180E', x'200B', x'200C', x'200D', x'200E', x'200F', x'202A', x'202E', x'2060', x'2066', x'2069', x'206F', x'3164', x'FE0F',
	x'FEFF', x'FFA0', x'FFF9']::bit(16)[]::text[]::bit(16)[]) AS b (b), LATERAL (SELECT b::int AS c) AS i
UNION ALL
SELECT to_hex(c), pg_temp.said('a' || chr(c) || 'b'), pg_temp.said('a' || chr(c)) = pg_temp.said(chr(c) || 'b') FROM unnest(ARRAY[119155, 917505, 917631, 917760]) AS c;
SELECT what, pg_temp.said(name) FROM (VALUES
	(1, 'Persian', U&'\0645\06CC\200C\062E\0648\0627\0647\0645'), (2, 'Devanagari', U&'\0915\094D\200D\0937'), (3, 'Sinhala', U&'\0DC1\0DCA\200D\0DBB\0DD3'),
	(4, 'at the end', U&'\0645\200C'), (5, 'twice', U&'\0645\200C\200C\0645'), (6, 'beside a digit', U&'1\200D2'), (7, 'beside a space', U&'\0645 \200C\0645'),
	(8, 'beside a hyphen', U&'a-\200Db'), (9, 'between emoji', U&'\+01F469\200D\+01F52C'), (10, 'emoji alone', U&'\+01F680'), (11, 'right to left', U&'\05E9\05DC\05D5\05DD')
) AS v (n, what, name) ORDER BY n;

-- Length: 256 characters, and 1,024 bytes
SELECT what, pg_temp.said(name) FROM (VALUES
	(1, '256 letters', repeat('m', 256)), (2, '257 letters', repeat('m', 257)), (3, '256 of 4 bytes', repeat(U&'\+01F680', 256)), (4, '257 of 4 bytes', repeat(U&'\+01F680', 257)),
	(5, '256 of 3 bytes and an accent', repeat(U&'\3042', 255) || U&'\00E9')
) AS v (n, what, name) ORDER BY n;

-- All that is a name is asked the same
\set bad '(''a'' || chr(8238) || ''b'')'
SELECT modelreg_register('x', :bad, performance_metrics => '{"f1": 0.5}'); -- error
SELECT modelreg_register('x', 'm', dataset_version => :bad, performance_metrics => '{"f1": 0.5}'); -- error
SELECT modelreg_register('x', 'm', tags => ARRAY['good', :bad], performance_metrics => '{"f1": 0.5}'); -- error
SELECT modelreg_register('x', 'm', performance_metrics => jsonb_build_object(:bad, 1)); -- error
SELECT modelreg_create_model(:bad); -- error
SELECT modelreg_rename_model('m', :bad); -- error
SELECT modelreg_rename_model('m', U&'cafe\0301'); -- error
SELECT modelreg_set_metric_direction(:bad, true); -- error
SELECT modelreg_list(tags => ARRAY[U&'cafe\0301']); -- error
SELECT model_id AS plain FROM modelreg_register('x', 'plain', performance_metrics => '{"f1": 0.5}') \gset
SELECT modelreg_set_alias(:'plain', :bad); -- error
SELECT modelreg_update(:'plain', tags => ARRAY[:bad]); -- error
UPDATE modelreg.model SET model_name = :bad WHERE model_name = 'plain'; -- error
UPDATE modelreg.model_version SET tags = ARRAY[:bad] WHERE model_id = :'plain'; -- error

-- The longest there are, which cannot be compressed, fit every index and a notification
SET modelreg.notify = 'all';
CREATE FUNCTION pg_temp.longest(seed int, last text = '') RETURNS text LANGUAGE sql
	RETURN (SELECT left(string_agg(chr(65536 + (('x' || left(md5(seed || '.' || g), 6))::bit(24)::int % 30000) / 2 + 60000), '' ORDER BY g), 256 - length(last)) || last FROM generate_series(1, 256) AS g);
SELECT length(name), octet_length(name) FROM pg_temp.longest(1) AS name;
SELECT length(model_id) AS id, octet_length(model_id) AS id_bytes, length(model_name) AS name, model_id AS long, model_type = pg_temp.longest(2) AS type
FROM modelreg_register('x', pg_temp.longest(2), model_name => pg_temp.longest(1), performance_metrics => jsonb_build_object(pg_temp.longest(3), 1),
	tags => ARRAY[pg_temp.longest(4), pg_temp.longest(5)], dataset_version => pg_temp.longest(6)) \gset
SELECT :id AS id, :id_bytes AS id_bytes, :name AS name, :'type' AS type;
BEGIN;
SELECT modelreg_upload_begin() AS upload \gset
SELECT modelreg_upload_append(:'upload', 'file');
-- with a suffix, of the most digits that there can be
ALTER TABLE modelreg.model DISABLE TRIGGER model_row_guard;
UPDATE modelreg.model SET last_id_suffix = 2147483646, last_registered_at = now() + interval '1 year' WHERE model_name = pg_temp.longest(1);
ALTER TABLE modelreg.model ENABLE ALWAYS TRIGGER model_row_guard;
SELECT octet_length(model_id) AS id_bytes FROM modelreg_register_files(ARRAY[repeat('p', 1000) || '/' || md5('p')::varchar(23)], ARRAY[:'upload'::uuid], pg_temp.longest(2), model_name => pg_temp.longest(1),
	performance_metrics => '{"f1": 0.5}');
ROLLBACK;
SELECT octet_length(alias) AS alias, model_id = :'long' AS same FROM modelreg_set_alias(:'long', pg_temp.longest(7, '"\'));
SELECT deployment_stage FROM modelreg_update_stage(:'long', 'production');
SELECT FROM modelreg_set_metric_direction(pg_temp.longest(3), false);
SELECT octet_length(model_name) FROM modelreg_rename_model(pg_temp.longest(1), pg_temp.longest(8));
SELECT count(*) FROM modelreg_list(model_type => pg_temp.longest(2), model_name => pg_temp.longest(8), tags => ARRAY[pg_temp.longest(5)]);
SELECT count(*) FROM modelreg_history(model_name => pg_temp.longest(1));
SELECT count(*) FILTER (WHERE NOT ok) AS bad FROM modelreg_audit_verify();
