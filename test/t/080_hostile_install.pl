# A user who may create objects in the database, before CREATE EXTENSION and
# after it, gains nothing: nothing of his runs with other rights than his own.
use strict;
use warnings;

use ModelregTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = ModelregTest::node('main', extension => 0);
my @mallory = (extra_params => [ '-U', 'regress_modelreg_mallory' ]);

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_modelreg_mallory LOGIN CREATEROLE;
GRANT CREATE ON DATABASE postgres TO regress_modelreg_mallory;
GRANT CREATE ON SCHEMA public TO regress_modelreg_mallory;
SQL

sub sqlstate
{
	return ModelregTest::sqlstate($node, 'postgres', @_);
}

my $create = 'CREATE EXTENSION modelreg';
my $drop = 'DROP EXTENSION modelreg; DROP ROLE modelreg_admin, modelreg_writer, modelreg_reader, modelreg_owner';

# ---- Who may install ----------------------------------------------------------------

is(sqlstate($create, @mallory), '42501', 'CREATE on the database is not enough');
is(sqlstate('CREATE SCHEMA modelreg', @mallory), '', 'mallory makes a schema modelreg');
is(sqlstate($create), '42P06', 'a schema modelreg that is there stops the installation');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_roles WHERE rolname LIKE 'modelreg%'}), '0', '... which leaves nothing');
is(sqlstate('DROP SCHEMA modelreg', @mallory), '', 'mallory drops it');

# ---- Roles that are there --------------------------------------------------------------

for my $role (qw(modelreg_owner modelreg_reader modelreg_writer modelreg_admin))
{
	for my $attribute (qw(LOGIN SUPERUSER CREATEROLE CREATEDB REPLICATION BYPASSRLS NOINHERIT))
	{
		$node->safe_psql('postgres', "CREATE ROLE $role $attribute");
		is(sqlstate($create), '0P000', "refused: $role $attribute");
		$node->safe_psql('postgres', "DROP ROLE $role");
	}
}

sub install_with
{
	my ($what, $prepare, $expected) = @_;
	$node->safe_psql('postgres', $prepare);
	my ($status, $stdout, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$create");
	like($stderr, $expected, $what);
	if ($status == 0 && $stderr !~ /ERROR/)
	{
		$node->safe_psql('postgres', $drop);
	}
	else
	{
		is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_namespace WHERE nspname = 'modelreg'}), '0',
			"$what: nothing is left");
		$node->safe_psql('postgres', <<'SQL');
SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname LIKE 'modelreg%' \gexec
SQL
	}
	return;
}

install_with('an owner with a member is refused',
	'CREATE ROLE modelreg_owner ROLE regress_modelreg_mallory',
	qr/ERROR:  0P000: .*"modelreg_owner" has members: regress_modelreg_mallory/);
install_with('an admin who is a member of the owner is refused',
	'CREATE ROLE modelreg_owner; CREATE ROLE modelreg_admin IN ROLE modelreg_owner',
	qr/ERROR:  0P000: .*is a member of: modelreg_owner/);
install_with('a reader who is a member of the admin is refused',
	'CREATE ROLE modelreg_admin; CREATE ROLE modelreg_reader IN ROLE modelreg_admin',
	qr/ERROR:  0P000: .*is a member of: modelreg_admin/);
install_with('a member of the owner by way of a member of ours is refused',
	'CREATE ROLE modelreg_owner; CREATE ROLE modelreg_writer IN ROLE modelreg_owner; GRANT modelreg_writer TO regress_modelreg_mallory',
	qr/ERROR:  0P000: /);
for my $role (qw(modelreg_reader modelreg_writer modelreg_admin))
{
	install_with("a member of $role is reported", "CREATE ROLE $role ROLE regress_modelreg_mallory",
		qr/WARNING:  .*role "$role" exists and has members: regress_modelreg_mallory/);
}
install_with('roles as we make them ourselves are taken',
	'CREATE ROLE modelreg_owner; CREATE ROLE modelreg_reader; CREATE ROLE modelreg_writer IN ROLE modelreg_reader; CREATE ROLE modelreg_admin IN ROLE modelreg_writer',
	qr/^$/);

# Rights that a DBA gives to everybody on what he creates do not reach our tables.
$node->safe_psql('postgres', <<'SQL');
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO PUBLIC;
SQL
$node->safe_psql('postgres', $create);
is($node->safe_psql('postgres', q{SELECT item, detail FROM modelreg_check() WHERE NOT ok}), '', 'PUBLIC has nothing in spite of default privileges');
is(sqlstate('SELECT * FROM modelreg.chunk_piece', @mallory), '42501', 'mallory reads no bytes');
$node->safe_psql('postgres', <<"SQL");
$drop;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SCHEMAS FROM PUBLIC;
SQL

# ---- Objects with the names that our SQL uses -------------------------------------------

# For each function of pg_catalog that the script names, overloads that would be
# better matches for many calls; and operators for pairs of types that have none.
# Each leaves a trace of whose rights it ran with.
my $script = do
{
	my $directory = $node->config_data('--sharedir') . '/extension';
	my ($file) = grep { !/--.*--/ } map { glob "$_/modelreg--*.sql" }
	  'sql', ($ENV{MODELREG_STAGE} // '') . $directory, $directory;
	slurp_file($file // die "no installation script\n");
};
my %word = map { lc($_) => 1 } $script =~ /\b([a-z_0-9]+)\s*\(/gi, 'octet_length';
my $words = join ', ', map { "'$_'" } sort keys %word;
my $shadows = <<"SQL";
CREATE TABLE public.canary (what text, who name);
GRANT ALL ON public.canary TO PUBLIC;
-- all statements are made before the first is executed: they would trap mallory
SELECT format('CREATE OR REPLACE FUNCTION public.shadow(%s, %s) RETURNS boolean LANGUAGE plpgsql AS %L', l, r,
		'BEGIN INSERT INTO public.canary VALUES (''operator'', current_user); RETURN true; END'),
	format('CREATE OPERATOR public.%s (FUNCTION = public.shadow, LEFTARG = %s, RIGHTARG = %s)', op, l, r)
FROM unnest(ARRAY['text', 'name', 'integer', 'bigint', 'boolean', 'uuid', 'jsonb', 'bytea', '"char"', 'oid', 'text[]', 'timestamptz']) AS l,
	unnest(ARRAY['text', 'name', 'integer', 'bigint', 'smallint', 'uuid', 'jsonb', 'bytea', '"char"', 'regclass', 'text[]', 'timestamptz']) AS r,
	unnest(ARRAY['=', '<>', '<', '>', '<=', '>=', '||', '~', '!~', '->', '->>', '+', '-', '*', '?', '~~']) AS op
\\gexec
SELECT format('CREATE FUNCTION public.%I(%s) RETURNS text LANGUAGE plpgsql AS %L', f.proname, f.arguments,
	format('BEGIN INSERT INTO public.canary VALUES (%L, current_user); RETURN NULL; END', f.proname || '(' || f.arguments || ')'))
FROM (
	SELECT DISTINCT p.proname, a.arguments
	FROM pg_proc AS p, unnest(ARRAY['text', 'name', 'text, text', 'name, text', 'text, name', 'name, name', 'text, text, text', 'text, name, text',
		'text[]', 'bytea', 'uuid', 'jsonb', 'jsonb, text', 'jsonb, jsonb', 'integer', 'bigint', 'bigint, integer', 'boolean', 'timestamptz',
		'timestamptz, text', 'text, timestamptz', 'oid', 'regclass', '"char"', 'regclass, text', 'text, uuid', 'text, bigint']) AS a (arguments)
	WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname IN ($words)) AS f
\\gexec
SET search_path = pg_catalog;
CREATE DOMAIN public.text AS pg_catalog.text CHECK (public.octet_length(VALUE::pg_catalog.text) IS NULL);
CREATE DOMAIN public.uuid AS pg_catalog.uuid CHECK (false);
CREATE DOMAIN public.jsonb AS pg_catalog.jsonb CHECK (false);
CREATE DOMAIN public.timestamptz AS pg_catalog.timestamptz CHECK (false);
CREATE DOMAIN public.bytea AS pg_catalog.bytea CHECK (false);
CREATE DOMAIN public.xid8 AS pg_catalog.xid8 CHECK (false);
CREATE TABLE public.pg_extension (extname pg_catalog.name, extversion pg_catalog.text);
CREATE TABLE public.pg_trigger (tgname pg_catalog.name);
CREATE TABLE public.pg_roles (rolname pg_catalog.name);
CREATE TABLE public.pg_settings (name pg_catalog.text, setting pg_catalog.text);
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC;
SQL
is(sqlstate($shadows, @mallory, on_error_stop => 1), '', 'mallory shadows what the script uses');

my $canary = q{SELECT pg_catalog.string_agg(pg_catalog.concat(what, ' as ', who), ', '::pg_catalog.text) FROM public.canary WHERE who OPERATOR(pg_catalog.<>) 'regress_modelreg_mallory'};

cmp_ok($node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace) + (SELECT count(*) FROM pg_operator WHERE oprnamespace = 'public'::regnamespace)}),
	'>', 3000, '... thousands of times');

# The shadows work: a session that puts them first steps into them.
is(sqlstate(q{SET search_path = public, pg_catalog; BEGIN; SELECT octet_length('x'::pg_catalog.text); SELECT 1 / pg_catalog.count(*) FROM public.canary; ROLLBACK}),
	'', 'the trap snaps for who asks for it');

# Even a DBA with an unlucky search_path installs what we wrote.
is(sqlstate("SET search_path = public, pg_catalog; CREATE EXTENSION modelreg SCHEMA public"), '', 'CREATE EXTENSION among the shadows');
is($node->safe_psql('postgres', $canary), '', 'nothing of mallory ran at CREATE EXTENSION');

# ---- Calls by others, among the shadows --------------------------------------------------

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_modelreg_release LOGIN IN ROLE modelreg_admin;
SQL
my $calls = <<'SQL';
SELECT public.modelreg_create_model('m', max_versions => 1);
SELECT public.modelreg_register('1', 'm', performance_metrics => '{"auc": 1}', tags => '{a,b}', notes => 'n');
SELECT public.modelreg_register('2', 'm', performance_metrics => '{"auc": 2}');
SELECT public.modelreg_update_stage(model_id, 'production') FROM public.modelreg_find_latest('m', tags => '{}', min_performance => '{"auc": 1}');
SELECT public.modelreg_update(model_id, notes => 'n') FROM public.modelreg_list('m', max_rows => 1);
SELECT public.modelreg_update_model('m', description => 'd', reset => '{auto_cleanup}');
SELECT public.modelreg_set_stage_rule('development', 'canary', false);
SELECT public.modelreg_set_metric_direction('auc', false);
SELECT * FROM public.modelreg_compare(ARRAY(SELECT model_id FROM public.modelreg_list()));
SELECT * FROM public.modelreg_cleanup_preview();
CALL public.modelreg_cleanup();
SELECT artifact FROM public.modelreg_load_latest('m');
SELECT public.modelreg_load(model_id) FROM public.modelreg_list();
SELECT public.modelreg_rename_model('m', 'n');
SELECT i.* FROM public.modelreg_list() AS l, public.modelreg_info(l.model_id) AS i;
SELECT * FROM public.modelreg_history();
SELECT * FROM public.modelreg_history('m', since => '2020-01-01');
SELECT * FROM public.modelreg_at('2100-01-01');
SELECT public.modelreg_audit_head();
SELECT * FROM public.modelreg_audit_verify(anchor => public.modelreg_audit_head());
SELECT * FROM public.modelreg_verify();
SELECT * FROM public.modelreg_check();
SELECT * FROM modelreg.model_metric; SELECT * FROM modelreg.production_model; SELECT * FROM modelreg.storage_usage;
SELECT * FROM modelreg.stage_history; SELECT * FROM modelreg.registry_stats;
SELECT modelreg.semver_compare('1.0.0', '1.1.0'), modelreg.higher_is_better('loss'), modelreg.jsonb_merge('{}');
SELECT public.modelreg_set_stage_rule('development', 'canary', NULL);
SELECT public.modelreg_delete(model_id, true) FROM public.modelreg_list();
SELECT public.modelreg_delete_model('n');
SQL
for my $who ([ 'superuser' ], [ 'admin', extra_params => [ '-U', 'regress_modelreg_release' ] ])
{
	my ($name, @options) = @$who;
	is(sqlstate("SET search_path = public, pg_catalog;\n$calls", @options, on_error_stop => 1), '',
		"$name calls everything among the shadows");
	is($node->safe_psql('postgres', $canary), '', "... and nothing of mallory runs as $name or as the owner");
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM modelreg_audit_verify() WHERE NOT ok}), '0', 'the trail verifies');

# ---- Mallory as a writer, with shadows in the temporary schema ------------------------------

$node->safe_psql('postgres', 'GRANT modelreg_writer TO regress_modelreg_mallory');
my $temporary = <<'SQL';
CREATE TEMP TABLE canary (what text, who name);
CREATE TEMP TABLE model_version (model_id text);
CREATE TEMP TABLE pg_proc (proname name);
CREATE FUNCTION pg_temp.trap(text, text) RETURNS boolean LANGUAGE plpgsql AS
$$BEGIN INSERT INTO public.canary VALUES ('temporary operator', current_user); RETURN true; END$$;
CREATE OPERATOR pg_temp.= (FUNCTION = pg_temp.trap, LEFTARG = text, RIGHTARG = text);
CREATE FUNCTION pg_temp.octet_length(text) RETURNS integer LANGUAGE plpgsql AS
$$BEGIN INSERT INTO public.canary VALUES ('temporary function', current_user); RETURN 0; END$$;
SET search_path = pg_temp, public, pg_catalog;
SET check_function_bodies = off;
SELECT public.modelreg_register('3', 'evil', performance_metrics => '{"auc": 1}', notes => $n$'; DROP TABLE modelreg.model; --$n$, tags => ARRAY[$t$','{"}$t$]);
SELECT public.modelreg_update_stage(model_id, 'staging', $r$'; SELECT 1; --$r$) FROM public.modelreg_list('evil');
SELECT public.modelreg_update(model_id, tags => '{x}') FROM public.modelreg_list('evil');
SELECT count(*) FROM public.modelreg_compare(ARRAY(SELECT model_id FROM public.modelreg_list()));
SELECT count(*) FROM public.modelreg_verify();
SELECT public.modelreg_delete(model_id) FROM public.modelreg_list('evil');
SQL
is(sqlstate($temporary, @mallory, on_error_stop => 1), '', 'mallory registers with a search_path of his own');
is($node->safe_psql('postgres', $canary), '', 'nothing of his runs with the rights of the owner');

# He is no admin for all that, and reaches neither tables nor inner functions that write.
for my $attack (
	q{SELECT public.modelreg_register('4', 'evil', performance_metrics => '{"auc": 1}', deployment_stage => 'production')},
	q{SELECT public.modelreg_set_stage_rule('development', 'production', true)},
	q{CALL public.modelreg_cleanup()},
	q{SELECT modelreg.cleanup_artifacts(1)},
	q{SELECT modelreg.cleanup_end()},
	q{INSERT INTO modelreg.audit_event SELECT * FROM modelreg.audit_event},
	q{UPDATE modelreg.model_version SET notes = ''},
	q{DELETE FROM modelreg.audit_event},
	q{SELECT * FROM modelreg.chunk_piece},
	q{SET ROLE modelreg_owner},
	q{CREATE TABLE modelreg.mine ()},
	q{CREATE TRIGGER mine BEFORE INSERT ON modelreg.model EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()},
	q{CREATE TABLE public.t (i int); CREATE TRIGGER mine AFTER UPDATE ON public.t FOR EACH ROW EXECUTE FUNCTION modelreg.record_version()},
	q{ALTER EXTENSION modelreg DROP TABLE modelreg.audit_event},
	q{DROP EXTENSION modelreg})
{
	is(sqlstate($attack, @mallory), '42501', "refused: $attack");
}

$node->stop;
done_testing();
