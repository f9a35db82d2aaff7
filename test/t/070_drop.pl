# DROP EXTENSION leaves nothing in the database; the roles stay in the cluster.
# The extension can be created in another schema, again, and in two databases.
use strict;
use warnings;

use ModelregTest;
use Test::More;

my $node = ModelregTest::node('main', extension => 0);

# All that a database holds, in names; without what every DDL leaves behind.
sub inventory
{
	my ($database) = @_;
	return $node->safe_psql($database, <<'SQL');
SELECT 'class', oid::regclass::text, relacl::text FROM pg_class WHERE relnamespace NOT IN ('pg_toast'::regnamespace, 'pg_catalog'::regnamespace)
UNION ALL SELECT 'toast', count(*)::text, '' FROM pg_class WHERE relnamespace = 'pg_toast'::regnamespace
UNION ALL SELECT 'proc', oid::regprocedure::text, proacl::text FROM pg_proc
UNION ALL SELECT 'type', oid::regtype::text, typacl::text FROM pg_type WHERE typnamespace <> 'pg_toast'::regnamespace
UNION ALL SELECT 'namespace', nspname, nspacl::text FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
UNION ALL SELECT 'extension', extname, extversion FROM pg_extension
UNION ALL SELECT 'trigger', tgname, '' FROM pg_trigger
UNION ALL SELECT 'constraint', conname, '' FROM pg_constraint
UNION ALL SELECT 'operator', oid::regoperator::text, '' FROM pg_operator
UNION ALL SELECT 'cast', castsource::regtype || ' ' || casttarget::regtype, '' FROM pg_cast
UNION ALL SELECT 'rewrite', rulename, '' FROM pg_rewrite
UNION ALL SELECT 'default', oid::text, '' FROM pg_attrdef
UNION ALL SELECT 'default acl', oid::text, '' FROM pg_default_acl
UNION ALL SELECT 'initial acl', classoid::regclass || ' ' || objoid, initprivs::text FROM pg_init_privs
UNION ALL SELECT 'event trigger', evtname, '' FROM pg_event_trigger
UNION ALL SELECT 'setting', setdatabase || ' ' || setrole, setconfig::text FROM pg_db_role_setting
UNION ALL SELECT 'shared dependency', refobjid::regrole::text, count(*)::text FROM pg_shdepend
	WHERE refclassid = 'pg_authid'::regclass AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY 2
UNION ALL SELECT 'comment', classoid::regclass || ' ' || count(*), '' FROM pg_description GROUP BY classoid
UNION ALL SELECT 'large object', oid::text, '' FROM pg_largeobject_metadata
ORDER BY 1, 2, 3
SQL
}

my $roles = q{SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'modelreg%'};
my @databases = ('postgres', 'second');
$node->safe_psql('postgres', 'CREATE DATABASE second');
is($node->safe_psql('postgres', $roles), '', 'no roles yet');
my $empty = inventory('postgres');

# ---- Two databases, two schemas -------------------------------------------------------

$node->safe_psql('postgres', 'CREATE EXTENSION modelreg');
$node->safe_psql('second', 'CREATE SCHEMA ml; CREATE EXTENSION modelreg SCHEMA ml');
is($node->safe_psql($_, $roles), 'modelreg_admin modelreg_owner modelreg_reader modelreg_writer', "$_: roles")
  for @databases;
is($node->safe_psql('second', q{SELECT string_agg(DISTINCT n.nspname, ' ' ORDER BY n.nspname) FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE proname LIKE 'modelreg\_%'}),
	'ml', 'the API is where the DBA wants it');

# Qualified, and by search_path; by roles that have no other rights.
$node->safe_psql('second', <<'SQL');
CREATE ROLE regress_modelreg_job LOGIN IN ROLE modelreg_writer;
CREATE ROLE regress_modelreg_release LOGIN IN ROLE modelreg_admin;
GRANT USAGE ON SCHEMA ml TO modelreg_reader;
SQL

sub use_all
{
	my ($prefix, $path) = @_;
	my $setup = $path ? "SET search_path = $path;\n" : '';
	my $sql = <<'SQL';
SELECT modelreg_create_model('m', max_versions => 1);
SELECT modelreg_register('1', 'm', performance_metrics => '{"auc": 1}');
SELECT modelreg_register('2', 'm', performance_metrics => '{"auc": 2}');
SELECT modelreg_update_stage(model_id, 'production') FROM modelreg_find_latest('m');
SELECT modelreg_update(model_id, notes => 'n') FROM modelreg_list('m');
SELECT modelreg_update_model('m', description => 'd');
SELECT modelreg_set_stage_rule('development', 'canary', false);
SELECT modelreg_set_metric_direction('auc', false);
SELECT * FROM modelreg_compare(ARRAY(SELECT model_id FROM modelreg_list()));
SELECT * FROM modelreg_cleanup_preview();
CALL modelreg_cleanup();
SELECT count(*) FROM modelreg_load_latest('m');
SELECT modelreg_load(model_id) FROM modelreg_list();
SELECT modelreg_rename_model('m', 'n');
SELECT i.* FROM modelreg_list() AS l, modelreg_info(l.model_id) AS i;
SELECT count(*) FROM modelreg_history();
SELECT count(*) FROM modelreg_at(now());
SELECT modelreg_audit_head();
SELECT modelreg_set_stage_rule('development', 'canary', NULL);
SELECT modelreg_set_metric_direction('auc', NULL);
SELECT modelreg_delete(model_id, true) FROM modelreg_list();
SELECT modelreg_delete_model('n');
SELECT 'verify', count(*) FROM modelreg_verify() WHERE NOT ok;
SELECT 'trail', count(*) FROM modelreg_audit_verify() WHERE NOT ok;
SELECT 'check', string_agg(item, ' ') FROM modelreg_check() WHERE NOT ok;
SQL
	$sql =~ s/\bmodelreg_(?!reader|writer|admin|owner)/${prefix}modelreg_/g;
	my ($status, $stdout, $stderr) = $node->psql('second', $setup . $sql,
		on_error_stop => 1, extra_params => [ '-U', 'regress_modelreg_release' ]);
	is($stderr, '', ($path ? "search_path $path" : "prefix $prefix") . ': no errors');
	my ($last) = $stdout =~ /^(verify\|.*)\z/ms;
	is($last, "verify|0\ntrail|0\ncheck|", '... and all is sound');
	return;
}
use_all('ml.', undef);
use_all('', 'ml');
use_all('', 'public, ml');

# The two know nothing of each other.
is($node->safe_psql('postgres', 'SELECT count(*) FROM modelreg.audit_event'), '0', 'databases are apart');
is($node->safe_psql('second', 'SELECT count(*) > 10 FROM modelreg.audit_event'), 't', '... the other has a trail');
$node->safe_psql('postgres', q{SELECT modelreg_register('x', 'first', performance_metrics => '{"auc": 1}')});

# ---- Updates -----------------------------------------------------------------------------

is($node->safe_psql('second', q{SELECT count(*) FROM pg_extension_update_paths('modelreg')}), '0', 'there is nothing to update from');
my ($status, $stdout, $stderr) = $node->psql('second', 'ALTER EXTENSION modelreg UPDATE');
is($status, 0, 'ALTER EXTENSION UPDATE to the version installed');
like($stderr, qr/NOTICE: .*is already installed/, '... says so');
is(ModelregTest::sqlstate($node, 'second', q{ALTER EXTENSION modelreg UPDATE TO '99.0'}), '22023', 'no path to a version that is not there');
is(ModelregTest::sqlstate($node, 'second', 'ALTER EXTENSION modelreg SET SCHEMA public'), '0A000', 'the extension cannot be moved');
is(ModelregTest::sqlstate($node, 'second', 'DROP TABLE modelreg.model'), '2BP01', 'members cannot be dropped');

# ---- Drop --------------------------------------------------------------------------------

# In one database while sessions use it in the other; and what depends on it stops it.
$node->safe_psql('second', 'CREATE VIEW public.mine AS SELECT model_id FROM modelreg.model_version');
is(ModelregTest::sqlstate($node, 'second', 'DROP EXTENSION modelreg'), '2BP01', 'DROP does not take a view of the user along');
$node->safe_psql('second', 'DROP VIEW public.mine');
$node->safe_psql('second', 'DROP EXTENSION modelreg; REVOKE ALL ON SCHEMA ml FROM modelreg_reader; DROP SCHEMA ml');
is($node->safe_psql('postgres', q{SELECT count(*) FROM modelreg_list()}), '1', 'the other database keeps its registry');
is(inventory('second'), $empty, 'DROP EXTENSION leaves nothing');

# A session that used the extension before it was created anew still works.
my $session = $node->background_psql('postgres');
my $two = q{SELECT version_number FROM modelreg_register('y', 'first', performance_metrics => '{"auc": 1}')};
is($session->query_safe($two), '2', 'a session registers');
$session->query_safe(q{UPDATE modelreg.model_version SET notes = 'x'});
$session->query_safe(q{SELECT modelreg_set_stage_rule('development', 'staging', true)});
$node->safe_psql('postgres', 'DROP EXTENSION modelreg');
is(inventory('postgres'), $empty, 'DROP EXTENSION leaves nothing of a registry in use');
$node->safe_psql('postgres', 'CREATE SCHEMA ml; CREATE EXTENSION modelreg SCHEMA ml');
$session->query_safe('SET search_path = ml');
is($session->query_safe($two), '1', 'the same session registers in the new registry');
is($session->query_safe(q{SELECT version_number, deployment_stage FROM modelreg_update_stage((SELECT model_id FROM modelreg_list()), 'production')}),
	'1|production', '... moves');
$session->query_safe(q{UPDATE modelreg.model_version SET notes = 'x'});
$session->query_safe(q{SELECT modelreg_set_stage_rule('development', 'staging', true)});
is($session->query_safe(q{SELECT count(*) FROM modelreg_audit_verify() WHERE NOT ok}), '0', '... and verifies');
$session->quit;

# ---- The roles -----------------------------------------------------------------------------

is(ModelregTest::sqlstate($node, 'postgres', 'DROP ROLE modelreg_owner'), '2BP01', 'the owner stays while there are objects');
$node->safe_psql('postgres', 'DROP EXTENSION modelreg; DROP SCHEMA ml');
is($node->safe_psql('postgres', $roles), 'modelreg_admin modelreg_owner modelreg_reader modelreg_writer', 'the roles stay');
is(inventory('postgres'), $empty, 'DROP EXTENSION leaves nothing in the second place either');
is(ModelregTest::sqlstate($node, 'postgres', 'DROP ROLE regress_modelreg_job, regress_modelreg_release, modelreg_admin, modelreg_writer, modelreg_reader, modelreg_owner'),
	'', 'the roles can be dropped then');
$node->safe_psql('postgres', 'CREATE EXTENSION modelreg');
is(ModelregTest::problems($node, 'postgres'), '', 'and the extension created anew');

$node->stop;
done_testing();
