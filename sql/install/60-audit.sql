/* ------------------------------------------------------------------
 * Reading and verifying the audit trail
 * ------------------------------------------------------------------ */
CREATE FUNCTION @extschema@.modelreg_history(
	model_name text DEFAULT NULL,
	model_id text DEFAULT NULL,
	since timestamptz DEFAULT NULL
) RETURNS SETOF modelreg.audit_event
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
DECLARE
	start timestamptz := coalesce($3, '-infinity');
BEGIN
	IF $2 IS NOT NULL THEN
		RETURN QUERY
		SELECT e.* FROM modelreg.audit_event AS e
		WHERE e.model_id = $2 COLLATE "C" AND e.at >= start
			AND ($1 IS NULL OR e.model_key = ANY (ARRAY(
				SELECT DISTINCT n.model_key FROM modelreg.audit_event AS n WHERE n.model_name = $1 COLLATE "C")))
		ORDER BY e.at, e.model_key, e.seq;
	ELSIF $1 IS NOT NULL THEN
		-- every chain that ever had the name, under whatever name it has since
		RETURN QUERY
		SELECT e.* FROM modelreg.audit_event AS e
		WHERE e.at >= start
			AND e.model_key = ANY (ARRAY(
				SELECT DISTINCT n.model_key FROM modelreg.audit_event AS n WHERE n.model_name = $1 COLLATE "C"))
		ORDER BY e.at, e.model_key, e.seq;
	ELSE
		RETURN QUERY
		SELECT e.* FROM modelreg.audit_event AS e
		WHERE e.at >= start
		ORDER BY e.at, e.model_key, e.seq;
	END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.modelreg_history(text, text, timestamptz) IS
	'The audit trail, oldest first: of one model (under all its names), of one version, since an instant. Deleted models and versions included.';

CREATE FUNCTION @extschema@.modelreg_at(
	instant timestamptz,
	model_name text DEFAULT NULL
) RETURNS TABLE (
	model_name text,
	model_id text,
	version text,
	deployment_stage modelreg.deployment_stage
)
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH chosen AS (
		SELECT DISTINCT e.model_key
		FROM modelreg.audit_event AS e
		WHERE e.model_name = $2 COLLATE "C"
		UNION ALL
		SELECT DISTINCT e.model_key
		FROM modelreg.audit_event AS e
		WHERE $2 IS NULL AND e.event = 'model_create'
	), named AS (
		SELECT DISTINCT ON (e.model_key) e.model_key, e.model_name, e.event
		FROM chosen AS c
		JOIN modelreg.audit_event AS e ON e.model_key = c.model_key
		WHERE e.at <= $1
		ORDER BY e.model_key, e.seq DESC
	), moved AS (
		SELECT DISTINCT ON (e.model_id) e.model_key, e.model_id, e.event,
			e.new_values ->> 'deployment_stage' AS stage
		FROM chosen AS c
		JOIN modelreg.audit_event AS e ON e.model_key = c.model_key
		WHERE e.at <= $1
			AND e.event IN ('register', 'stage', 'delete')
		ORDER BY e.model_id, e.seq DESC
	)
	SELECT n.model_name, m.model_id, r.new_values ->> 'version',
		m.stage::modelreg.deployment_stage
	FROM named AS n
	JOIN moved AS m ON m.model_key = n.model_key
	JOIN modelreg.audit_event AS r ON r.model_id = m.model_id AND r.event = 'register'
	WHERE n.event <> 'model_delete'
		AND m.event <> 'delete'
		AND ($2 IS NULL OR n.model_name = $2 COLLATE "C")
	ORDER BY n.model_name, r.seq
$$;
COMMENT ON FUNCTION @extschema@.modelreg_at(timestamptz, text) IS
	'Which versions there were at an instant and in which stage, from the audit trail; under the model names of that time.';

CREATE FUNCTION @extschema@.modelreg_audit_head() RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT jsonb_build_object(
		'format', 1,
		'at', modelreg.utc_text(clock_timestamp()),
		'heads', coalesce(jsonb_object_agg(h.model_key, jsonb_build_object(
			'model_name', h.model_name,
			'seq', h.seq,
			'hash', encode(h.hash, 'hex'))), '{}'))
	FROM (
		SELECT DISTINCT ON (e.model_key) e.model_key, e.model_name, e.seq, e.hash
		FROM modelreg.audit_event AS e
		ORDER BY e.model_key, e.seq DESC
	) AS h
$$;
COMMENT ON FUNCTION @extschema@.modelreg_audit_head() IS
	'The heads of all audit chains as one JSON document, to be kept outside the database and given to modelreg_audit_verify as anchor.';

CREATE AGGREGATE modelreg.jsonb_merge(jsonb) (
	SFUNC = pg_catalog.jsonb_concat,
	STYPE = jsonb,
	INITCOND = '{}',
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE modelreg.jsonb_merge(jsonb) IS
	'Merges JSON objects; of equal keys the last wins.';

-- Is each chain whole in itself, and does it end where the model says?
CREATE FUNCTION modelreg.chain_problems(keys uuid[])
	RETURNS TABLE (model_key uuid, seq bigint, problem text)
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH linked AS (
		SELECT e.*,
			coalesce(lag(e.hash) OVER chain, decode(repeat('00', 32), 'hex')) AS previous,
			lag(e.at) OVER chain AS previous_at,
			row_number() OVER chain AS n,
			count(*) FILTER (WHERE e.event IN ('model_create', 'model_rename')) OVER chain AS naming,
			e.new_values ->> 'model_name' AS given_name
		FROM unnest($1) AS k (model_key)
		JOIN modelreg.audit_event AS e ON e.model_key = k.model_key
		WINDOW chain AS (PARTITION BY e.model_key ORDER BY e.seq)
	), named AS (
		SELECT l.*,
			first_value(l.given_name) OVER (PARTITION BY l.model_key, l.naming ORDER BY l.seq) AS name_then
		FROM linked AS l
	), tail AS (
		SELECT DISTINCT ON (l.model_key) l.model_key, l.seq, l.hash, l.event, l.at
		FROM linked AS l
		ORDER BY l.model_key, l.seq DESC
	), registered AS (
		SELECT l.model_key, count(*) AS versions, max(l.at) AS last_at
		FROM linked AS l
		WHERE l.event = 'register'
		GROUP BY l.model_key
	)
	SELECT l.model_key, l.seq,
		CASE
			WHEN l.seq <> l.n THEN 'event ' || l.n || ' is missing'
			WHEN l.format <> 1 THEN 'event has format ' || l.format || ', which this version does not know'
			WHEN l.at <= l.previous_at THEN 'event is not later than the one before'
			WHEN l.model_name IS DISTINCT FROM l.name_then
				AND l.model_key <> '00000000-0000-0000-0000-000000000000' THEN 'event names another model'
			ELSE 'hash does not match the event'
		END
	FROM named AS l
	WHERE l.seq <> l.n
		OR l.format <> 1
		OR l.at <= l.previous_at
		OR (l.model_name IS DISTINCT FROM l.name_then
			AND l.model_key <> '00000000-0000-0000-0000-000000000000')
		OR l.hash <> modelreg.audit_hash(l.previous, l.format, l.model_key, l.seq, l.at, l.event,
			l.model_id, l.session_user_name, l.actor, l.client, l.xid, l.old_values, l.new_values, l.reason)
	UNION ALL
	SELECT m.model_key, t.seq,
		CASE
			WHEN t.seq IS NULL THEN 'model has no audit trail'
			WHEN t.event = 'model_delete' THEN 'model exists, but the trail says that it was deleted'
			WHEN t.seq < m.audit_seq THEN 'trail ends at event ' || t.seq || ', the model says ' || m.audit_seq
			WHEN t.seq > m.audit_seq THEN 'trail goes on beyond the model''s last event ' || m.audit_seq
			WHEN t.hash <> m.audit_hash THEN 'last event''s hash differs from the model''s'
			WHEN coalesce(r.versions, 0) <> m.last_version_number
				THEN 'model counts ' || m.last_version_number || ' versions, the trail ' || coalesce(r.versions, 0)
			ELSE 'model''s counters differ from the trail'
		END
	FROM unnest($1) AS k (model_key)
	JOIN modelreg.model AS m ON m.model_key = k.model_key
	LEFT JOIN tail AS t ON t.model_key = m.model_key
	LEFT JOIN registered AS r ON r.model_key = m.model_key
	WHERE (t.seq IS DISTINCT FROM m.audit_seq
			OR t.hash IS DISTINCT FROM m.audit_hash
			OR t.event = 'model_delete'
			OR coalesce(r.versions, 0) <> m.last_version_number
			OR t.at IS DISTINCT FROM m.audit_at
			-- a model takes over the time of an earlier one of its name
			OR m.last_registered_at < r.last_at
			OR m.last_registered_at > m.audit_at
			OR (m.highest_version IS NULL) <> (r.versions IS NULL)
			OR (r.versions IS NOT NULL AND NOT EXISTS (
				SELECT FROM modelreg.audit_event AS e
				WHERE e.model_key = m.model_key AND e.event = 'register'
					AND e.new_values ->> 'version' = m.highest_version)))
	UNION ALL
	SELECT t.model_key, t.seq, 'model is gone, but the trail has no event of its deletion'
	FROM tail AS t
	WHERE t.event <> 'model_delete'
		AND t.model_key <> '00000000-0000-0000-0000-000000000000'
		AND NOT EXISTS (SELECT FROM modelreg.model AS m WHERE m.model_key = t.model_key)
$$;
COMMENT ON FUNCTION modelreg.chain_problems(uuid[]) IS
	'What is wrong with the audit chains themselves: gaps, hashes, heads.';

-- Does the trail, replayed, give what the tables hold, and the other way round?
CREATE FUNCTION modelreg.trail_problems(keys uuid[])
	RETURNS TABLE (model_key uuid, seq bigint, problem text)
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH told AS (
		SELECT e.model_key, e.model_id, max(e.seq) AS seq,
			bool_or(e.event = 'delete') AS deleted,
			modelreg.jsonb_merge(e.new_values ORDER BY e.seq)
				FILTER (WHERE e.event IN ('register', 'stage', 'update')) AS state
		FROM unnest($1) AS k (model_key)
		JOIN modelreg.audit_event AS e ON e.model_key = k.model_key
		WHERE e.model_id IS NOT NULL
		GROUP BY e.model_key, e.model_id
	), compared AS (
		SELECT coalesce(t.model_key, v.model_key) AS model_key, t.seq,
			coalesce(t.model_id, v.model_id) AS model_id, t.deleted,
			v.model_id IS NOT NULL AS present, t.state,
			v.snapshot
		FROM told AS t
		FULL JOIN (
			SELECT x.model_id, x.model_key, modelreg.version_snapshot(x) AS snapshot
			FROM unnest($1) AS k (model_key)
			JOIN modelreg.model_version AS x ON x.model_key = k.model_key
		) AS v ON v.model_id = t.model_id AND v.model_key = t.model_key
	), told_model AS (
		SELECT e.model_key, max(e.seq) AS seq,
			bool_or(e.event = 'model_delete') AS deleted,
			modelreg.jsonb_merge(e.new_values ORDER BY e.seq)
				FILTER (WHERE e.event IN ('model_create', 'model_update', 'model_rename')) AS state
		FROM unnest($1) AS k (model_key)
		JOIN modelreg.audit_event AS e ON e.model_key = k.model_key
		WHERE e.event IN ('model_create', 'model_update', 'model_rename', 'model_delete')
		GROUP BY e.model_key
	)
	SELECT c.model_key, c.seq,
		CASE
			WHEN c.state IS NULL THEN format('version "%s" is not in the trail', c.model_id)
			WHEN NOT c.present THEN format('version "%s" is in the trail but gone', c.model_id)
			WHEN c.deleted THEN format('version "%s" exists, but the trail says that it was deleted', c.model_id)
			ELSE format('version "%s" differs from the trail in: %s', c.model_id, (
				SELECT string_agg(s.key, ', ' ORDER BY s.key)
				FROM jsonb_each(c.state) AS s
				WHERE s.value IS DISTINCT FROM c.snapshot -> s.key
					AND s.key NOT IN ('model_name', 'exclusive_production')))
		END
	FROM compared AS c
	WHERE c.present IS DISTINCT FROM (c.state IS NOT NULL AND NOT c.deleted)
		OR (c.present
			AND EXISTS (
				SELECT FROM jsonb_each(c.state) AS s
				WHERE s.value IS DISTINCT FROM c.snapshot -> s.key
					AND s.key NOT IN ('model_name', 'exclusive_production')))
	UNION ALL
	SELECT v.model_key, NULL, format('version "%s" belongs to no model, or its copy of the model''s name or settings differs', v.model_id)
	FROM unnest($1) AS k (model_key)
	JOIN modelreg.model_version AS v ON v.model_key = k.model_key
	LEFT JOIN modelreg.model AS m ON m.model_key = v.model_key
	WHERE (v.model_name IS DISTINCT FROM m.model_name
			OR v.exclusive_production IS DISTINCT FROM m.exclusive_production)
	UNION ALL
	SELECT m.model_key, t.seq, 'model''s name or settings differ from the trail'
	FROM modelreg.model AS m
	JOIN told_model AS t ON t.model_key = m.model_key AND NOT t.deleted
	WHERE t.state IS NULL
		OR EXISTS (
			SELECT FROM jsonb_each(t.state) AS s
			WHERE s.value IS DISTINCT FROM modelreg.model_snapshot(m) -> s.key)
	UNION ALL
	SELECT coalesce(t.model_key, a.model_key), t.seq,
		format('alias "%s" differs from the trail', coalesce(t.alias, a.alias))
	FROM (
		SELECT DISTINCT ON (e.model_key, told.j ->> 'alias') e.model_key, e.seq,
			told.j ->> 'alias' AS alias, e.new_values ->> 'model_id' AS model_id
		FROM unnest($1) AS k (model_key)
		JOIN modelreg.audit_event AS e ON e.model_key = k.model_key,
			coalesce(e.new_values, e.old_values) AS told (j)
		WHERE e.event = 'alias'
		ORDER BY e.model_key, told.j ->> 'alias', e.seq DESC
	) AS t
	FULL JOIN (
		SELECT x.model_key, x.alias, x.model_id
		FROM unnest($1) AS k (model_key)
		JOIN modelreg.model_alias AS x ON x.model_key = k.model_key
	) AS a ON a.model_key = t.model_key AND a.alias = t.alias
	WHERE t.model_id IS DISTINCT FROM a.model_id
	UNION ALL
	SELECT a.model_key, NULL, format('alias "%s" names no version of the model', a.alias)
	FROM unnest($1) AS k (model_key)
	JOIN modelreg.model_alias AS a ON a.model_key = k.model_key
	WHERE NOT EXISTS (
		SELECT FROM modelreg.model_version AS v
		WHERE v.model_id = a.model_id AND v.model_key = a.model_key)
	UNION ALL
	SELECT '00000000-0000-0000-0000-000000000000', r.seq,
		format('%s differs from the trail: %s', r.kind, r.item)
	FROM (
		SELECT coalesce(t.kind, s.kind) AS kind, coalesce(t.item, s.item) AS item, t.seq,
			t.state, s.state AS present_state
		FROM (
			SELECT DISTINCT ON (e.event, item) e.event AS kind, e.seq,
				CASE e.event
					WHEN 'stage_rule' THEN (told.j ->> 'from_stage') || ' to ' || (told.j ->> 'to_stage')
					ELSE told.j ->> 'metric'
				END AS item,
				e.new_values AS state
			FROM modelreg.audit_event AS e,
				coalesce(e.new_values, e.old_values) AS told (j)
			WHERE e.model_key = '00000000-0000-0000-0000-000000000000'
				AND e.event IN ('stage_rule', 'metric_direction')
			ORDER BY e.event, item, e.seq DESC
		) AS t
		FULL JOIN (
			SELECT 'stage_rule' AS kind, s.from_stage || ' to ' || s.to_stage AS item, to_jsonb(s) AS state
			FROM modelreg.stage_rule AS s
			UNION ALL
			SELECT 'metric_direction', d.metric, to_jsonb(d)
			FROM modelreg.metric_direction AS d
		) AS s ON s.kind = t.kind AND s.item = t.item
	) AS r
	WHERE r.state IS DISTINCT FROM r.present_state
		AND '00000000-0000-0000-0000-000000000000' = ANY ($1)
$$;
COMMENT ON FUNCTION modelreg.trail_problems(uuid[]) IS
	'Where the audit trail and the tables contradict each other, in either direction.';

CREATE FUNCTION modelreg.check_anchor(anchor jsonb) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	IF $1 IS NULL THEN
		RETURN;
	END IF;
	IF $1 -> 'format' = '1' AND jsonb_typeof($1 -> 'heads') = 'object' THEN
		IF NOT EXISTS (
			SELECT FROM jsonb_each($1 -> 'heads') AS a
			WHERE a.key !~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
				OR (jsonb_typeof(a.value -> 'seq') = 'number'
					AND a.value ->> 'seq' ~ '^[1-9][0-9]{0,17}$'
					AND a.value ->> 'hash' ~ '^[0-9a-f]{64}$') IS NOT TRUE)
		THEN
			RETURN;
		END IF;
	END IF;
	RAISE EXCEPTION USING
		ERRCODE = 'invalid_parameter_value',
		MESSAGE = 'anchor is no document of modelreg_audit_head()';
END
$$;
COMMENT ON FUNCTION modelreg.check_anchor(jsonb) IS
	'Raises 22023 unless the anchor is a document as modelreg_audit_head makes them; NULL is all right.';

-- Does the trail still hold the events that an anchor saw?
CREATE FUNCTION modelreg.anchor_problems(anchor jsonb)
	RETURNS TABLE (model_key uuid, seq bigint, problem text)
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT modelreg.check_anchor($1);
	SELECT a.key::uuid, (a.value ->> 'seq')::bigint,
		'event ' || (a.value ->> 'seq') || ' of the anchor is missing or differs'
	FROM jsonb_each($1 -> 'heads') AS a
	WHERE NOT EXISTS (
		SELECT FROM modelreg.audit_event AS e
		WHERE e.model_key = a.key::uuid
			AND e.seq = (a.value ->> 'seq')::bigint
			AND encode(e.hash, 'hex') = a.value ->> 'hash')
$$;
COMMENT ON FUNCTION modelreg.anchor_problems(jsonb) IS
	'Which heads of the anchor, a document made by modelreg_audit_head, are not in the trail.';

CREATE FUNCTION @extschema@.modelreg_audit_verify(
	model_name text DEFAULT NULL,
	anchor jsonb DEFAULT NULL
) RETURNS TABLE (
	model_name text,
	events bigint,
	ok boolean,
	first_bad_seq bigint,
	problem text
)
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT modelreg.check_anchor($2);
	WITH chosen AS (
		SELECT CASE WHEN $1 IS NOT NULL THEN ARRAY(
			SELECT e.model_key FROM modelreg.audit_event AS e WHERE e.model_name = $1 COLLATE "C"
			UNION
			SELECT m.model_key FROM modelreg.model AS m WHERE m.model_name = $1 COLLATE "C"
			UNION
			SELECT a.key::uuid FROM jsonb_each($2 -> 'heads') AS a
			WHERE a.value ->> 'model_name' = $1 COLLATE "C"
		) ELSE ARRAY(
			SELECT e.model_key FROM modelreg.audit_event AS e
			UNION
			SELECT m.model_key FROM modelreg.model AS m
			UNION
			SELECT v.model_key FROM modelreg.model_version AS v
			UNION
			SELECT a.model_key FROM modelreg.model_alias AS a
			UNION
			SELECT '00000000-0000-0000-0000-000000000000'
			UNION
			SELECT a.key::uuid FROM jsonb_each($2 -> 'heads') AS a
		) END AS keys
	), chain AS (
		SELECT e.model_key, count(*) AS events
		FROM chosen
		CROSS JOIN unnest(chosen.keys) AS k (model_key)
		JOIN modelreg.audit_event AS e ON e.model_key = k.model_key
		GROUP BY e.model_key
	), trouble AS (
		SELECT p.* FROM chosen, modelreg.chain_problems(chosen.keys) AS p
		UNION ALL
		SELECT p.* FROM chosen, modelreg.trail_problems(chosen.keys) AS p
		UNION ALL
		SELECT p.* FROM chosen, modelreg.anchor_problems($2) AS p
		WHERE p.model_key = ANY (chosen.keys)
	), first_trouble AS (
		SELECT DISTINCT ON (t.model_key) t.model_key,
			min(t.seq) OVER (PARTITION BY t.model_key) AS seq,
			t.problem || CASE count(*) OVER (PARTITION BY t.model_key)
				WHEN 1 THEN ''
				ELSE format(' (and %s more)', count(*) OVER (PARTITION BY t.model_key) - 1)
			END AS problem
		FROM trouble AS t
		ORDER BY t.model_key, t.seq NULLS LAST, t.problem COLLATE "C"
	)
	SELECT coalesce(
			(SELECT m.model_name FROM modelreg.model AS m WHERE m.model_key = k.model_key),
			(SELECT e.model_name FROM modelreg.audit_event AS e
			 WHERE e.model_key = k.model_key ORDER BY e.seq DESC LIMIT 1),
			$2 -> 'heads' -> k.model_key::text ->> 'model_name'),
		coalesce(c.events, 0), f.model_key IS NULL, f.seq, f.problem
	FROM (
		SELECT chain.model_key FROM chain
		UNION
		SELECT first_trouble.model_key FROM first_trouble
	) AS k
	LEFT JOIN chain AS c ON c.model_key = k.model_key
	LEFT JOIN first_trouble AS f ON f.model_key = k.model_key
	ORDER BY 1 NULLS LAST, k.model_key
$$;
COMMENT ON FUNCTION @extschema@.modelreg_audit_verify(text, jsonb) IS
	'Verifies the audit chains, the trail against the tables both ways, and an anchor kept outside: a row for each chain (model_name NULL: the registry''s own), with the first problem.';
