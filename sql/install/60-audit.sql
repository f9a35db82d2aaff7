/* ------------------------------------------------------------------
 * Reading and verifying the audit trail
 * ------------------------------------------------------------------ */
-- The clock may have been ahead, and set back since: an event happened no later
-- than any that follows in its chain, and no later than now.  So those since an
-- instant are those behind the last one of the chain that is older.
CREATE FUNCTION modelreg.last_before(key uuid, instant timestamptz) RETURNS bigint
	LANGUAGE sql STABLE PARALLEL SAFE
	AS $$SELECT COALESCE((
		SELECT e.seq FROM modelreg.audit_event AS e
		WHERE e.model_key OPERATOR(pg_catalog.=) key AND e.at OPERATOR(pg_catalog.<) instant
		ORDER BY e.seq DESC LIMIT 1), 0::pg_catalog.int8)$$;
COMMENT ON FUNCTION modelreg.last_before(uuid, timestamptz) IS
	'The last event of the chain, by its number, that is older than the instant; 0: none.';

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
	present timestamptz := clock_timestamp();
	start timestamptz := coalesce($3, '-infinity');
	named uuid[];
BEGIN
	IF $1 IS NOT NULL THEN
		-- every chain that ever had the name, under whatever name it has since
		named := ARRAY(SELECT DISTINCT n.model_key FROM modelreg.audit_event AS n WHERE n.model_name = $1 COLLATE "C");
	END IF;

	IF start > present THEN
		RETURN;
	ELSIF $2 IS NOT NULL THEN
		RETURN QUERY
		SELECT e.*
		FROM modelreg.audit_event AS e
		WHERE e.model_id = $2 COLLATE "C" AND e.at >= start
			AND ($1 IS NULL OR e.model_key = ANY (named))
			AND ($3 IS NULL OR e.seq > modelreg.last_before(e.model_key, start))
		ORDER BY least(min(e.at) OVER (PARTITION BY e.model_key ORDER BY e.seq DESC), present), e.model_key, e.seq;
	ELSIF $1 IS NOT NULL THEN
		RETURN QUERY
		SELECT e.*
		FROM unnest(named) AS k (key)
		JOIN modelreg.audit_event AS e ON e.model_key = k.key
			AND e.seq > CASE WHEN $3 IS NULL THEN 0 ELSE modelreg.last_before(k.key, start) END
		ORDER BY least(min(e.at) OVER (PARTITION BY e.model_key ORDER BY e.seq DESC), present), e.model_key, e.seq;
	ELSIF $3 IS NOT NULL THEN
		RETURN QUERY
		SELECT e.*
		FROM (
			SELECT DISTINCT c.model_key
			FROM modelreg.audit_event AS c
			WHERE c.at >= start
		) AS k
		CROSS JOIN LATERAL (SELECT modelreg.last_before(k.model_key, start) AS seq) AS b
		JOIN modelreg.audit_event AS e ON e.model_key = k.model_key AND e.seq > b.seq
		ORDER BY least(min(e.at) OVER (PARTITION BY e.model_key ORDER BY e.seq DESC), present), e.model_key, e.seq;
	ELSE
		RETURN QUERY
		SELECT e.*
		FROM modelreg.audit_event AS e
		ORDER BY least(min(e.at) OVER (PARTITION BY e.model_key ORDER BY e.seq DESC), present), e.model_key, e.seq;
	END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.modelreg_history(text, text, timestamptz) IS
	'The audit trail, oldest first: of one model (under all its names), of one version, since an instant. Deleted models and versions included. An event counts as no later than those after it in its chain, and no later than now, whatever the clock said.';

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
	-- what is yet to come by the clock has happened by now
	WITH given AS MATERIALIZED (
		SELECT CASE WHEN $1 >= now() THEN clock_timestamp() ELSE 'infinity' END AS future
	), named_so AS (
		SELECT DISTINCT e.model_key
		FROM modelreg.audit_event AS e
		WHERE e.model_name = $2 COLLATE "C"
		UNION ALL
		SELECT DISTINCT e.model_key
		FROM modelreg.audit_event AS e
		WHERE $2 IS NULL AND e.event = 'model_create'
	), chosen AS MATERIALIZED (
		SELECT n.model_key, l.seq AS last_seq
		FROM named_so AS n
		CROSS JOIN LATERAL (
			SELECT e.seq
			FROM modelreg.audit_event AS e
			WHERE e.model_key = n.model_key
				AND (e.at <= $1 OR e.at > (SELECT g.future FROM given AS g))
			ORDER BY e.seq DESC
			LIMIT 1
		) AS l
	), named AS (
		SELECT c.model_key, e.model_name, e.event
		FROM chosen AS c
		JOIN modelreg.audit_event AS e ON e.model_key = c.model_key AND e.seq = c.last_seq
	), moved AS (
		SELECT DISTINCT ON (e.model_id) e.model_key, e.model_id, e.event,
			e.new_values ->> 'deployment_stage' AS stage
		FROM chosen AS c
		JOIN modelreg.audit_event AS e ON e.model_key = c.model_key AND e.seq <= c.last_seq
		WHERE e.event IN ('register', 'stage', 'delete')
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
	'Which versions there were at an instant and in which stage, from the audit trail; under the model names of that time. An event counts as no later than those after it in its chain, and no later than now, whatever the clock said.';

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

CREATE FUNCTION modelreg.different_keys(a jsonb, b jsonb) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT string_agg(coalesce(x.key, y.key), ', ' ORDER BY coalesce(x.key, y.key) COLLATE "C")
	FROM jsonb_each(CASE jsonb_typeof($1) WHEN 'object' THEN $1 ELSE '{}' END) AS x
	FULL JOIN jsonb_each(CASE jsonb_typeof($2) WHEN 'object' THEN $2 ELSE '{}' END) AS y
		ON y.key COLLATE "C" = x.key COLLATE "C"
	WHERE coalesce(x.value, 'null') <> coalesce(y.value, 'null')
$$;
COMMENT ON FUNCTION modelreg.different_keys(jsonb, jsonb) IS
	'The keys in which two JSON objects differ, where a null is as no key, so that columns may come later; NULL: in none.';

-- Is each chain whole in itself, and does it end where the model says?
CREATE FUNCTION modelreg.chain_problems(keys uuid[])
	RETURNS TABLE (model_key uuid, seq bigint, problem text)
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH linked AS (
		SELECT e.*,
			coalesce(lag(e.hash) OVER chain, decode(repeat('00', 32), 'hex')) AS previous,
			row_number() OVER chain AS n,
			count(*) FILTER (WHERE e.event IN ('model_create', 'model_rename')) OVER chain AS naming,
			e.new_values ->> 'model_name' AS given_name,
			e.new_values ->> 'version' AS given_version
		FROM unnest($1) AS k (model_key)
		JOIN modelreg.audit_event AS e ON e.model_key = k.model_key
		WINDOW chain AS (PARTITION BY e.model_key ORDER BY e.seq)
	), named AS (
		SELECT l.*,
			CASE WHEN l.model_key <> '00000000-0000-0000-0000-000000000000'
				THEN first_value(l.given_name) OVER (PARTITION BY l.model_key, l.naming ORDER BY l.seq) END AS name_then,
			coalesce(jsonb_typeof(l.old_values), 'object') <> 'object'
				OR coalesce(jsonb_typeof(l.new_values), 'object') <> 'object' AS has_scalar
		FROM linked AS l
	), tail AS (
		SELECT DISTINCT ON (l.model_key) l.model_key, l.seq, l.hash, l.event, l.at
		FROM linked AS l
		ORDER BY l.model_key, l.seq DESC
	), counter AS (
		SELECT m.*, modelreg.issue_rank('x', to_char(timezone('UTC', m.last_registered_at), '"x_"YYYYMMDD_HH24MISS_')
			|| m.last_id_suffix) AS last_issue
		FROM unnest($1) AS k (model_key)
		JOIN modelreg.model AS m ON m.model_key = k.model_key
	), issued AS (
		-- by the model, and by others under a name that it has or had: it takes
		-- over from those where they were
		SELECT n.model_key, e.model_key = n.model_key AS is_own, e.model_name, e.at,
			modelreg.issue_rank(e.model_name, e.model_id) AS issue
		FROM (SELECT DISTINCT l.model_key, l.model_name FROM linked AS l) AS n
		JOIN modelreg.audit_event AS e ON e.model_name = n.model_name AND e.event = 'register'
	), registered AS (
		SELECT c.model_key,
			nullif(count(*) FILTER (WHERE i.is_own), 0) AS versions,
			max(i.at) FILTER (WHERE i.is_own) AS last_at,
			max(i.issue) FILTER (WHERE i.is_own OR i.model_name = c.model_name) AS last_issue,
			-- its own, or the second of the last id of a name that it took
			bool_or(CASE WHEN i.is_own THEN i.at = c.last_registered_at
				ELSE c.last_registered_at = date_trunc('second', c.last_registered_at)
					AND left(i.issue, 15) = left(c.last_issue, 15) END) AS has_time,
			bool_or(i.issue = c.last_issue) AS has_issue
		FROM counter AS c
		JOIN issued AS i ON i.model_key = c.model_key
		GROUP BY c.model_key
	), highest AS (
		SELECT c.model_key, bool_or(l.given_version = c.highest_version) AS was_registered,
			bool_or(CASE WHEN modelreg.semver_valid(l.given_version) AND modelreg.semver_valid(c.highest_version)
				THEN modelreg.semver_compare(l.given_version, c.highest_version) > 0 END) AS was_beaten
		FROM counter AS c
		JOIN linked AS l ON l.model_key = c.model_key AND l.event = 'register'
		GROUP BY c.model_key
	), counted AS (
		SELECT c.model_key, r.versions, concat_ws(', ',
			CASE WHEN t.at IS DISTINCT FROM c.audit_at THEN 'audit_at' END,
			CASE WHEN NOT CASE WHEN c.last_registered_at IS NULL THEN r.last_at IS NULL
					ELSE r.has_time AND coalesce(c.last_registered_at >= r.last_at, true) END IS TRUE
				THEN 'last_registered_at' END,
			CASE WHEN NOT CASE WHEN c.last_registered_at IS NULL THEN c.last_id_suffix = 0
					ELSE r.has_issue AND coalesce(c.last_issue >= r.last_issue, true) END IS TRUE
				THEN 'last_id_suffix' END,
			CASE WHEN (c.highest_version IS NULL) <> (h.model_key IS NULL)
					OR NOT h.was_registered OR h.was_beaten
				THEN 'highest_version' END) AS wrong
		FROM counter AS c
		LEFT JOIN tail AS t ON t.model_key = c.model_key
		LEFT JOIN registered AS r ON r.model_key = c.model_key
		LEFT JOIN highest AS h ON h.model_key = c.model_key
	)
	SELECT l.model_key, l.seq,
		CASE
			WHEN l.seq <> l.n THEN 'event ' || l.n || ' is missing'
			WHEN l.format <> 1 THEN 'event has format ' || l.format || ', which this version does not know'
			WHEN l.has_scalar THEN 'event has values that are no JSON object'
			WHEN l.model_name IS DISTINCT FROM l.name_then THEN 'event names another model'
			ELSE 'hash does not match the event'
		END
	FROM named AS l
	WHERE l.seq <> l.n
		OR l.format <> 1
		OR l.has_scalar
		OR l.model_name IS DISTINCT FROM l.name_then
		OR l.hash IS DISTINCT FROM modelreg.audit_hash(l.previous, l.format, l.model_key, l.seq, l.at, l.event,
			l.model_id, l.session_user_name, l.actor, l.client, l.xid, l.old_values, l.new_values, l.reason)
	UNION ALL
	SELECT c.model_key, t.seq,
		CASE
			WHEN t.seq IS NULL THEN 'model has no audit trail'
			WHEN t.event = 'model_delete' THEN 'model exists, but the trail says that it was deleted'
			WHEN t.seq < c.audit_seq THEN 'trail ends at event ' || t.seq || ', the model says ' || c.audit_seq
			WHEN t.seq > c.audit_seq THEN 'trail goes on beyond the model''s last event ' || c.audit_seq
			WHEN t.hash IS DISTINCT FROM c.audit_hash THEN 'last event''s hash differs from the model''s'
			WHEN coalesce(n.versions, 0) <> c.last_version_number
				THEN 'model counts ' || c.last_version_number || ' versions, the trail ' || coalesce(n.versions, 0)
			ELSE 'model''s counters differ from the trail: ' || n.wrong
		END
	FROM counter AS c
	JOIN counted AS n ON n.model_key = c.model_key
	LEFT JOIN tail AS t ON t.model_key = c.model_key
	WHERE t.seq IS DISTINCT FROM c.audit_seq
		OR t.hash IS DISTINCT FROM c.audit_hash
		OR t.event = 'model_delete'
		OR coalesce(n.versions, 0) <> c.last_version_number
		OR n.wrong <> ''
	UNION ALL
	SELECT t.model_key, t.seq, 'model is gone, but the trail has no event of its deletion'
	FROM tail AS t
	WHERE t.event <> 'model_delete'
		AND t.model_key <> '00000000-0000-0000-0000-000000000000'
		AND NOT EXISTS (SELECT FROM modelreg.model AS m WHERE m.model_key = t.model_key)
$$;
COMMENT ON FUNCTION modelreg.chain_problems(uuid[]) IS
	'What is wrong with the audit chains themselves, and with the counters of their models: gaps, hashes, heads.';

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
				FILTER (WHERE e.event IN ('register', 'stage', 'update', 'correct_time')
					AND jsonb_typeof(e.new_values) = 'object') AS state
		FROM unnest($1) AS k (model_key)
		JOIN modelreg.audit_event AS e ON e.model_key = k.model_key
		WHERE e.model_id IS NOT NULL
		GROUP BY e.model_key, e.model_id
	), compared AS (
		SELECT coalesce(t.model_key, v.model_key) AS model_key, t.seq,
			coalesce(t.model_id, v.model_id) AS model_id, t.deleted,
			v.model_id IS NOT NULL AS present,
			modelreg.role_ref_agrees(v.owner, t.state ->> 'owner', t.state ->> 'owner_source') AS owner_agrees,
			-- the copies of the model's columns are compared with these
			t.state - '{model_name,exclusive_production,owner,owner_source}'::text[] AS state,
			v.snapshot - '{model_name,exclusive_production,owner,owner_source}'::text[] AS snapshot
		FROM told AS t
		FULL JOIN (
			SELECT x.model_id, x.model_key, x.owner, modelreg.version_snapshot(x) AS snapshot
			FROM unnest($1) AS k (model_key)
			JOIN modelreg.model_version AS x ON x.model_key = k.model_key
		) AS v ON v.model_id = t.model_id AND v.model_key = t.model_key
	), told_model AS (
		SELECT e.model_key, max(e.seq) AS seq,
			bool_or(e.event = 'model_delete') AS deleted,
			modelreg.jsonb_merge(e.new_values ORDER BY e.seq)
				FILTER (WHERE e.event IN ('model_create', 'model_update', 'model_rename')
					AND jsonb_typeof(e.new_values) = 'object') AS state
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
			ELSE format('version "%s" differs from the trail in: %s', c.model_id,
				concat_ws(', ', modelreg.different_keys(c.state, c.snapshot), CASE WHEN NOT c.owner_agrees THEN 'owner' END))
		END
	FROM compared AS c
	WHERE c.present IS DISTINCT FROM (c.state IS NOT NULL AND NOT c.deleted)
		OR (c.present AND c.state IS DISTINCT FROM c.snapshot
			AND modelreg.different_keys(c.state, c.snapshot) IS NOT NULL)
		OR (c.present AND NOT c.owner_agrees)
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
	WHERE t.state IS DISTINCT FROM modelreg.model_snapshot(m)
		AND (t.state IS NULL
			OR modelreg.different_keys(t.state, modelreg.model_snapshot(m)) IS NOT NULL)
	UNION ALL
	SELECT coalesce(t.model_key, a.model_key), t.seq,
		format('alias "%s" differs from the trail', coalesce(t.alias, a.alias))
	FROM (
		SELECT DISTINCT ON (e.model_key, told.j ->> 'alias') e.model_key, e.seq,
			told.j ->> 'alias' AS alias, e.new_values AS state
		FROM unnest($1) AS k (model_key)
		JOIN modelreg.audit_event AS e ON e.model_key = k.model_key,
			coalesce(e.new_values, e.old_values) AS told (j)
		WHERE e.event = 'alias'
		ORDER BY e.model_key, told.j ->> 'alias', e.seq DESC
	) AS t
	FULL JOIN (
		SELECT x.model_key, x.alias, modelreg.alias_snapshot(x) AS snapshot
		FROM unnest($1) AS k (model_key)
		JOIN modelreg.model_alias AS x ON x.model_key = k.model_key
	) AS a ON a.model_key = t.model_key AND a.alias = t.alias
	WHERE t.state IS DISTINCT FROM a.snapshot
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

-- The name of a chain's model, or the last one that it had
CREATE FUNCTION modelreg.chain_name(key uuid, anchor jsonb) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT coalesce(
		(SELECT m.model_name FROM modelreg.model AS m WHERE m.model_key = $1),
		(SELECT e.model_name FROM modelreg.audit_event AS e WHERE e.model_key = $1 ORDER BY e.seq DESC LIMIT 1),
		$2 -> 'heads' -> $1::text ->> 'model_name')
$$;
COMMENT ON FUNCTION modelreg.chain_name(uuid, jsonb) IS
	'The name of the model that an audit chain belongs to, as its table, the chain or an anchor says.';

-- Which chains there are: each name of a chain's model finds it.
CREATE FUNCTION modelreg.chain_keys(model_name text, anchor jsonb) RETURNS uuid[]
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
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
	) END
$$;
COMMENT ON FUNCTION modelreg.chain_keys(text, jsonb) IS
	'The keys of all audit chains, or of those whose model has or had the name, the anchor''s included.';

CREATE FUNCTION modelreg.verify_chains(keys uuid[], anchor jsonb) RETURNS TABLE (
	model_name text,
	events bigint,
	ok boolean,
	first_bad_seq bigint,
	problem text
)
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH chain AS (
		SELECT e.model_key, count(*) AS events
		FROM unnest($1) AS k (model_key)
		JOIN modelreg.audit_event AS e ON e.model_key = k.model_key
		GROUP BY e.model_key
	), trouble AS (
		SELECT p.* FROM modelreg.chain_problems($1) AS p
		UNION ALL
		SELECT p.* FROM modelreg.trail_problems($1) AS p
		UNION ALL
		SELECT p.* FROM modelreg.anchor_problems($2) AS p
		WHERE p.model_key = ANY ($1)
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
	SELECT modelreg.chain_name(k.model_key, $2),
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
COMMENT ON FUNCTION modelreg.verify_chains(uuid[], jsonb) IS
	'Verifies these audit chains; an error, where something cannot be read, is one for all of them.';

CREATE FUNCTION modelreg.unreadable_event(key uuid) RETURNS bigint
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	number bigint;
BEGIN
	FOR number IN
		SELECT e.seq FROM modelreg.audit_event AS e WHERE e.model_key = $1 ORDER BY e.seq
	LOOP
		BEGIN
			PERFORM modelreg.audit_hash(e.hash, e.format, e.model_key, e.seq, e.at, e.event,
				e.model_id, e.session_user_name, e.actor, e.client, e.xid, e.old_values, e.new_values, e.reason)
			FROM modelreg.audit_event AS e
			WHERE e.model_key = $1 AND e.seq = number;
		EXCEPTION
			WHEN insufficient_resources OR operator_intervention OR transaction_rollback THEN
				RAISE;
			WHEN OTHERS THEN
				RETURN number;
		END;
	END LOOP;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION modelreg.unreadable_event(uuid) IS
	'The first event of the chain that cannot be read; NULL: there is none.';

-- One at a time, each in a subtransaction: what cannot be read hides no other
-- chain.  The index leads to a chain past the damaged pages of others.
CREATE FUNCTION modelreg.verify_each_chain(name text, anchor jsonb) RETURNS TABLE (
	model_name text,
	events bigint,
	ok boolean,
	first_bad_seq bigint,
	problem text
)
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off
	SET jit = off	-- the cost of a disabled node would have it compiled
	AS $$
DECLARE
	source text;
	keys uuid[];
	chain uuid;
	trouble text;
BEGIN
	PERFORM modelreg.check_anchor($2);
	keys := ARRAY(
		SELECT a.key::uuid FROM jsonb_each($2 -> 'heads') AS a
		WHERE $1 IS NULL OR a.value ->> 'model_name' = $1 COLLATE "C");
	IF $1 IS NULL THEN
		keys := keys || '00000000-0000-0000-0000-000000000000'::uuid;
	END IF;
	FOREACH source IN ARRAY CASE WHEN $1 IS NULL
		THEN '{audit_event,model,model_version,model_alias}' ELSE '{audit_event,model}'::text[] END
	LOOP
		BEGIN
			EXECUTE format('SELECT $1 || ARRAY(SELECT DISTINCT x.model_key FROM modelreg.%I AS x WHERE %s)', source,
				CASE WHEN $1 IS NULL THEN 'true' ELSE 'x.model_name = $2 COLLATE "C"' END)
			INTO keys
			USING keys, $1;
		EXCEPTION
			WHEN insufficient_resources OR operator_intervention OR transaction_rollback OR insufficient_privilege THEN
				RAISE;
			WHEN OTHERS THEN
				model_name := NULL;
				events := NULL;
				ok := false;
				first_bad_seq := NULL;
				problem := format('modelreg.%I cannot be read: %s', source, SQLERRM);
				RETURN NEXT;
		END;
	END LOOP;

	FOR chain IN
		SELECT DISTINCT k.key FROM unnest(keys) AS k (key) ORDER BY k.key
	LOOP
		BEGIN
			RETURN QUERY SELECT v.* FROM modelreg.verify_chains(ARRAY[chain], $2) AS v;
			CONTINUE;
		EXCEPTION
			WHEN insufficient_resources OR operator_intervention OR transaction_rollback OR insufficient_privilege THEN
				RAISE;
			WHEN OTHERS THEN
				trouble := SQLERRM;
		END;

		ok := false;
		problem := format('cannot be verified: %s', trouble);
		BEGIN
			model_name := NULL;
			events := NULL;
			first_bad_seq := NULL;
			model_name := modelreg.chain_name(chain, $2);
			first_bad_seq := modelreg.unreadable_event(chain);
			SELECT count(*) INTO events FROM modelreg.audit_event AS e WHERE e.model_key = chain;
		EXCEPTION
			WHEN insufficient_resources OR operator_intervention OR transaction_rollback THEN
				RAISE;
			WHEN OTHERS THEN
				NULL;	-- what could not be read stays NULL
		END;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modelreg.verify_each_chain(text, jsonb) IS
	'Verifies the audit chains one by one, where an error is a problem of its chain.';

-- All at once, which is quicker, unless something cannot be read
CREATE FUNCTION modelreg.verify_trail(name text, anchor jsonb) RETURNS TABLE (
	model_name text,
	events bigint,
	ok boolean,
	first_bad_seq bigint,
	problem text
)
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	PERFORM modelreg.check_anchor($2);
	BEGIN
		-- sorted, so that an error comes before the first row
		RETURN QUERY SELECT v.* FROM modelreg.verify_chains(modelreg.chain_keys($1, $2), $2) AS v;
		RETURN;
	EXCEPTION
		WHEN insufficient_resources OR operator_intervention OR transaction_rollback OR insufficient_privilege THEN
			RAISE;
		WHEN OTHERS THEN
			NULL;	-- go on below
	END;
	RETURN QUERY SELECT v.* FROM modelreg.verify_each_chain($1, $2) AS v;
END
$$;
COMMENT ON FUNCTION modelreg.verify_trail(text, jsonb) IS
	'Verifies the audit chains of a model''s name, or all, together; if that ends in an error, one by one.';

-- unsafe, because no worker may begin a subtransaction
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
	LANGUAGE sql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$SELECT v.* FROM modelreg.verify_trail($1, $2) AS v$$;
COMMENT ON FUNCTION @extschema@.modelreg_audit_verify(text, jsonb) IS
	'Verifies the audit chains, the trail against the tables both ways, and an anchor kept outside: a row for each chain (model_name NULL: the registry''s own), with the first problem.';
