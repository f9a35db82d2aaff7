--
-- modelreg_find_latest, modelreg_list, modelreg_info: filters and pages
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;

-- An empty registry
SELECT * FROM modelreg_list();
SELECT * FROM modelreg_find_latest();
SELECT * FROM modelreg_info('nothing');

-- 60 versions of three models, in turns; fraud changed its type on the way
CREATE TEMPORARY TABLE made AS
	SELECT g, r.model_id
	FROM generate_series(1, 60) AS g, LATERAL modelreg_register(
		int4send(g),
		CASE WHEN g % 3 = 0 AND g > 30 THEN 'boosting' ELSE 'forest' END,
		model_name => (ARRAY['churn', 'credit', 'fraud'])[1 + (g + 2) % 3],
		performance_metrics => jsonb_build_object('f1', (g % 10) / 10.0, 'loss', g) || CASE WHEN g % 4 = 0 THEN '{"auc": 0.75}' ELSE '{}' END::jsonb,
		deployment_stage => CASE g % 7 WHEN 0 THEN 'staging' WHEN 1 THEN 'canary' ELSE 'development' END,
		tags => CASE WHEN g % 2 = 0 THEN '{even}' ELSE '{}' END::text[] || CASE WHEN g % 5 = 0 THEN '{five,"V"}' ELSE '{}' END::text[]) AS r;
SELECT model_name, count(*), min(version_number), max(version_number) FROM modelreg_list() GROUP BY model_name ORDER BY model_name;

-- Which of the sixty a call finds, newest first
\set which 'SELECT count(*), array_agg(m.g ORDER BY n) AS found FROM'
\set ordinal 'WITH ORDINALITY AS l (model_id, model_key, model_name, model_type, version, version_number, created_at, registered_at, registered_by, checksum, artifact_size, model_config, training_metadata, dataset_version, parent_ids, deployment_stage, deployed_at, performance_metrics, tags, notes, properties, exclusive_production, file_count, files_size, owner, n) JOIN made AS m USING (model_id)'
-- each filter alone
:which modelreg_list() :ordinal;
:which modelreg_list('boosting') :ordinal;
:which modelreg_list(model_type => 'boost') :ordinal;
:which modelreg_list(deployment_stage => 'canary') :ordinal;
:which modelreg_list(deployment_stage => 'production') :ordinal;
:which modelreg_list(min_performance => '{"f1": 0.8}') :ordinal;
:which modelreg_list(max_performance => '{"loss": 3}') :ordinal;
:which modelreg_list(tags => '{five}') :ordinal;
:which modelreg_list(model_name => 'fraud') :ordinal;
:which modelreg_list(model_name => 'Fraud') :ordinal;
:which modelreg_list(version => '0.7.0') :ordinal;
:which modelreg_list(max_rows => 3) :ordinal;
-- bounds include their value, compare exactly, and need the metric to be there
:which modelreg_list(min_performance => '{"loss": 58}', max_performance => '{"loss": 58}') :ordinal;
:which modelreg_list(min_performance => '{"loss": 58.0000000000000000000001}') :ordinal;
:which modelreg_list(min_performance => '{"auc": 0.75}', model_name => 'churn') :ordinal;
:which modelreg_list(min_performance => '{"auc": -1, "f1": 0.5}') :ordinal;
:which modelreg_list(max_performance => '{"auc": 1, "f1": 0.1}') :ordinal;
:which modelreg_list(min_performance => '{"nothing": 0}') :ordinal;
:which modelreg_list(max_performance => '{"nothing": 0}') :ordinal;
-- all tags must be there, in any order; case counts
:which modelreg_list(tags => '{five,even}') :ordinal;
:which modelreg_list(tags => '{even,V,five,even}') :ordinal;
:which modelreg_list(tags => '{v}') :ordinal;
-- combinations
:which modelreg_list('forest', 'development', '{"f1": 0.5}', '{even}', 'credit', NULL, '{"loss": 50}') :ordinal;
:which modelreg_list('forest', 'staging') :ordinal;
:which modelreg_list('boosting', 'development', tags => '{even}') :ordinal;
:which modelreg_list('forest', model_name => 'fraud', max_rows => 2) :ordinal;
:which modelreg_list(model_name => 'churn', version => '0.3.0') :ordinal;
:which modelreg_list('boosting', model_name => 'churn') :ordinal;
-- NULL filters nothing, nor do empty ones
SELECT (SELECT count(*) FROM modelreg_list(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) AS nulls,
	(SELECT count(*) FROM modelreg_list(min_performance => '{}', tags => '{}', max_performance => '{}')) AS empty;

-- The latest is the first of the list, for each of 192 combinations
SELECT count(*) AS combinations, count(l.model_id) AS with_result,
	count(*) FILTER (WHERE l.model_id IS DISTINCT FROM f.model_id) AS latest_differs,
	count(*) FILTER (WHERE l.model_id IS DISTINCT FROM o.model_id) AS load_differs,
	count(*) FILTER (WHERE l.model_id IS DISTINCT FROM e.model_id) AS plain_query_differs
FROM (VALUES (NULL), ('forest'), ('boosting')) AS a (model_type)
CROSS JOIN (VALUES (NULL), ('staging')) AS b (stage)
CROSS JOIN (VALUES (NULL), ('{"f1": 0.4}'::jsonb)) AS c (low)
CROSS JOIN (VALUES (NULL), ('{even}'::text[])) AS d (tags)
CROSS JOIN (VALUES (NULL), ('credit')) AS n (model_name)
CROSS JOIN (VALUES (NULL), ('0.8.0')) AS v (version)
CROSS JOIN (VALUES (NULL), ('{"loss": 40}'::jsonb)) AS x (high)
LEFT JOIN LATERAL (SELECT model_id FROM modelreg_list(model_type, stage, low, tags, model_name, version, high, 1)) AS l ON true
LEFT JOIN LATERAL (SELECT model_id FROM modelreg_find_latest(model_type, stage, low, tags, model_name, version, high)) AS f ON true
LEFT JOIN LATERAL (SELECT model_id FROM modelreg_load_latest(model_type, stage, low, tags, model_name, version, high)) AS o ON true
LEFT JOIN LATERAL (
	SELECT p.model_id FROM modelreg.model_version AS p
	WHERE (a.model_type IS NULL OR p.model_type = a.model_type)
		AND (b.stage IS NULL OR p.deployment_stage::text = b.stage)
		AND (c.low IS NULL OR (p.performance_metrics ->> 'f1')::numeric >= 0.4)
		AND (d.tags IS NULL OR 'even' = ANY (p.tags))
		AND (n.model_name IS NULL OR p.model_name = n.model_name)
		AND (v.version IS NULL OR p.version = v.version)
		AND (x.high IS NULL OR (p.performance_metrics ->> 'loss')::numeric <= 40)
	ORDER BY p.registered_at DESC, p.model_id DESC LIMIT 1) AS e ON true;

-- Pages that follow each other are the whole list: no gap, none twice
CREATE TEMPORARY TABLE call AS
	SELECT page, model_name, stage, tags
	FROM unnest(ARRAY[1, 7, 20, 59, 60, 61]) AS page,
		unnest(ARRAY[NULL, 'churn', 'credit']) AS model_name,
		unnest(ARRAY[NULL, 'development']) AS stage,
		(VALUES (NULL), ('{even}'::text[])) AS t (tags);
WITH RECURSIVE paged AS (
	SELECT c AS call, 1 AS page_no, ARRAY(SELECT l.model_id FROM modelreg_list(deployment_stage => c.stage, model_name => c.model_name, tags => c.tags, max_rows => c.page) AS l) AS ids
	FROM call AS c
	UNION ALL
	SELECT p.call, p.page_no + 1, ARRAY(SELECT l.model_id FROM modelreg_list(deployment_stage => (p.call).stage, model_name => (p.call).model_name, tags => (p.call).tags, max_rows => (p.call).page, before_id => p.ids[cardinality(p.ids)]) AS l)
	FROM paged AS p
	WHERE cardinality(p.ids) > 0
), whole AS (
	SELECT p.call, array_agg(i.id ORDER BY p.page_no, i.n) AS ids, max(cardinality(p.ids)) AS longest
	FROM paged AS p, unnest(p.ids) WITH ORDINALITY AS i (id, n)
	GROUP BY p.call
)
SELECT count(*) AS walks, sum(cardinality(w.ids)) AS rows,
	count(*) FILTER (WHERE w.ids <> ARRAY(SELECT l.model_id FROM modelreg_list(deployment_stage => (w.call).stage, model_name => (w.call).model_name, tags => (w.call).tags) AS l)) AS differ,
	count(*) FILTER (WHERE longest > (w.call).page) AS too_long
FROM whole AS w;
SELECT count(*) AS calls FROM call;
-- behind the last version is nothing
SELECT count(*) FROM made AS m, LATERAL modelreg_list(before_id => m.model_id) WHERE m.g = 1;
SELECT count(*) FROM modelreg_list(max_rows => 0);
SELECT count(*) FROM modelreg_list(max_rows => 2147483647);
-- before_id need not pass the filters: a page goes on where its last version was
SELECT count(*) FROM made AS m, LATERAL modelreg_list(deployment_stage => 'staging', before_id => m.model_id) WHERE m.g = 50;
SELECT count(*) FROM made AS m, LATERAL modelreg_list('boosting', model_name => 'fraud', before_id => m.model_id) WHERE m.g = 3;

-- What is no page and no filter
SELECT modelreg_list(max_rows => -1); -- error
SELECT modelreg_list(before_id => 'nobody'); -- error
SELECT modelreg_list(before_id => ''); -- error
SELECT count(*) FROM made AS m, LATERAL modelreg_list(model_name => 'churn', before_id => m.model_id) WHERE m.g = 4;
SELECT modelreg_list(deployment_stage => 'prod'); -- error
SELECT modelreg_list(min_performance => '[]'); -- error
SELECT modelreg_list(min_performance => '{"f1": "0.5"}'); -- error
SELECT modelreg_find_latest(max_performance => '{"f1": 1e400}'); -- error
SELECT modelreg_find_latest(tags => '{NULL}'); -- error
SELECT modelreg_find_latest(tags => '{{a},{b}}'); -- error
SELECT modelreg_list(model_name => 'nobody');
\set VERBOSITY sqlstate
SELECT modelreg_list(max_rows => -1); -- error
SELECT modelreg_list(before_id => 'nobody'); -- error
SELECT count(*) FROM made AS m, LATERAL modelreg_list(model_name => 'churn', before_id => m.model_id) WHERE m.g = 5; -- error
SELECT modelreg_list(deployment_stage => 'prod'); -- error
SELECT modelreg_list(min_performance => '[]'); -- error
SELECT modelreg_find_latest(tags => '{NULL}'); -- error
\set VERBOSITY default

-- modelreg_info is the row of the table
SELECT bool_and(i IS NOT DISTINCT FROM v) AS same, count(*)
FROM modelreg.model_version AS v, LATERAL modelreg_info(v.model_id) AS i;

-- They read the statement's snapshot, in a read-only transaction too
BEGIN READ ONLY;
SELECT count(*) FROM modelreg_list(), LATERAL modelreg_load(model_id);
COMMIT;
BEGIN;
SELECT count(*) FROM (SELECT modelreg_delete(model_id) FROM modelreg_list(model_name => 'churn')) AS deleted;
SELECT count(*) FROM modelreg_list(model_name => 'churn');
ROLLBACK;
DECLARE c CURSOR WITH HOLD FOR SELECT version FROM modelreg_list(model_name => 'churn', max_rows => 2);
FETCH ALL FROM c;
CLOSE c;

-- modelreg_info is inlined, so it can be joined like a table
SET enable_seqscan = off;
EXPLAIN (COSTS off) SELECT * FROM modelreg_info('nobody');
RESET enable_seqscan;
