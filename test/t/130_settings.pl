# The settings: who may set them, where, and what happens to values that were
# given before the library was loaded.
use strict;
use warnings;

use ModelregTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = ModelregTest::node('main');
my @user = (extra_params => [ '-U', 'regress_modelreg_writer' ]);
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_modelreg_writer LOGIN IN ROLE modelreg_writer;
CREATE DATABASE second;
SQL
$node->safe_psql('second', 'CREATE EXTENSION modelreg');

sub value
{
	my ($database, $name, @options) = @_;
	return $node->safe_psql($database, "SHOW modelreg.$name", @options);
}

# ---- Defaults, and who may set what ----------------------------------------------------

# as far as the library was there to build with
my $default = $node->safe_psql('postgres', q{SELECT CASE WHEN 'lz4' = ANY (enumvals) THEN 'lz4' ELSE 'none' END FROM pg_settings WHERE name = 'modelreg.compression'});

is($node->safe_psql('postgres', q{SELECT name, setting, context, vartype FROM pg_settings WHERE name LIKE 'modelreg.%' ORDER BY name}), <<"TEXT" =~ s/\n\z//r, 'the settings');
modelreg.auto_cleanup|off|superuser|bool
modelreg.compression|$default|user|enum
modelreg.hash_in_thread|on|user|bool
modelreg.max_versions|10|superuser|integer
modelreg.notify|stage|superuser|enum
modelreg.reason||user|string
modelreg.require_metadata|on|superuser|bool
modelreg.upload_expiry|86400|superuser|integer
modelreg.verify_checksums|on|user|bool
TEXT
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_settings WHERE name LIKE 'modelreg.%' AND short_desc !~ '\.$'}), '0', 'each is described');
for my $setting ('max_versions = 5', 'auto_cleanup = on', 'require_metadata = off', 'notify = none', 'upload_expiry = 60')
{
	is(ModelregTest::sqlstate($node, 'postgres', "SET modelreg.$setting", @user), '42501', "a user may not: SET $setting");
	is(ModelregTest::sqlstate($node, 'postgres', "SET modelreg.$setting"), '', "a superuser may: SET $setting");
}
for my $setting ('verify_checksums = off', 'compression = none', 'hash_in_thread = off', "reason = 'why'")
{
	is(ModelregTest::sqlstate($node, 'postgres', "SET modelreg.$setting", @user), '', "a user may: SET $setting");
}
for my $setting ('max_versions = 0', 'max_versions = -2', 'notify = sometimes', 'auto_cleanup = maybe', 'verify_checksums = 3', 'compression = gzip', 'upload_expiry = -2')
{
	is(ModelregTest::sqlstate($node, 'postgres', "SET modelreg.$setting"), '22023', "no value: $setting");
}
is(ModelregTest::sqlstate($node, 'postgres', 'SET modelreg.no_such_thing = 1'), '42602', 'the prefix is reserved');

# ---- For a database, a role, the server ---------------------------------------------------

# All take effect in the next session, without a call of ours in it before.
$node->safe_psql('postgres', <<'SQL');
ALTER SYSTEM SET modelreg.max_versions = 3;
ALTER SYSTEM SET modelreg.auto_cleanup = on;
ALTER DATABASE second SET modelreg.max_versions = 2;
ALTER DATABASE second SET modelreg.require_metadata = off;
ALTER ROLE regress_modelreg_writer SET modelreg.max_versions = 1;
SELECT pg_reload_conf();
SQL
$node->poll_query_until('postgres', q{SELECT current_setting('modelreg.max_versions') = '3'});
is(value('postgres', 'max_versions'), '3', 'ALTER SYSTEM');
is(value('second', 'max_versions'), '2', 'ALTER DATABASE goes before it');
is(value('second', 'max_versions', @user), '1', 'ALTER ROLE, by a superuser, goes before that');
is(ModelregTest::sqlstate($node, 'postgres', 'ALTER ROLE regress_modelreg_writer SET modelreg.max_versions = 9', @user), '42501', 'the role may not set it for itself');
is(ModelregTest::sqlstate($node, 'postgres', 'ALTER ROLE regress_modelreg_writer SET modelreg.verify_checksums = off', @user), '', '... only what is its own business');
is(value('postgres', 'verify_checksums', @user), 'off', '... which holds in the next session');

# They do what they say.
my $register = q{SELECT count(modelreg_register(convert_to(n::text, 'UTF8'), 'm', performance_metrics => '{"auc": 1}')) FROM generate_series(1, 6) AS n};
$node->safe_psql($_, $register) for 'postgres', 'second';
is($node->safe_psql('postgres', 'SELECT count(*) FROM modelreg_list()'), '3', 'three versions are kept');
is($node->safe_psql('second', 'SELECT count(*) FROM modelreg_list()'), '2', '... two in the other database');
is(ModelregTest::sqlstate($node, 'postgres', q{SELECT modelreg_register('x', 'm')}), '22023', 'metrics are required');
is(ModelregTest::sqlstate($node, 'second', q{SELECT modelreg_register('x', 'm')}), '', '... not in the other database');

# A model's own settings go before all these; reset lets them through again.
is($node->safe_psql('postgres', <<'SQL'), "4\n3", 'a model has settings of its own');
DO $$ BEGIN
	PERFORM modelreg_update_model('m', max_versions => 4);
	PERFORM modelreg_register('7', 'm', performance_metrics => '{"auc": 1}');
	PERFORM modelreg_register('8', 'm', performance_metrics => '{"auc": 1}');
END $$;
SELECT count(*) FROM modelreg_list();
DO $$ BEGIN
	PERFORM modelreg_update_model('m', reset => '{max_versions}');
	PERFORM modelreg_register('9', 'm', performance_metrics => '{"auc": 1}');
END $$;
SELECT count(*) FROM modelreg_list();
SQL

# ---- Values that cannot be, in the configuration file --------------------------------------

my $offset = -s $node->logfile;
$node->safe_psql('postgres', $_) for 'ALTER SYSTEM RESET ALL', 'ALTER ROLE regress_modelreg_writer RESET ALL';
$node->append_conf('postgresql.conf', "modelreg.max_versions = 0\nmodelreg.notify = 'some'\nmodelreg.no_such_thing = 1\n");
$node->restart;
is(value('postgres', 'max_versions'), '10', 'a value that cannot be leaves the default');
is(value('postgres', 'notify'), 'stage', '... of an enum, too');
my $log = substr(slurp_file($node->logfile), $offset);
like($log, qr/invalid value for parameter "modelreg\.max_versions": 0/, '... and is in the log');
like($log, qr/"modelreg\.no_such_thing"/, '... as is a setting that there is not');
$node->safe_psql('second', $register);
like(ModelregTest::problems($node, 'second'), qr/\Asettings: there is no such setting: modelreg\.no_such_thing \(.*postgresql\.conf\)\z/,
	'the registry works all the same, and modelreg_check names the setting');

# ---- Without preloading ----------------------------------------------------------------------

# A session that loads the library at its first call: what it had set before
# counts if it may set that.
$node->append_conf('postgresql.conf', "modelreg.max_versions = 10\nmodelreg.notify = 'stage'\nsession_preload_libraries = ''\n");
$node->restart;
is($node->safe_psql('postgres', q{SELECT item FROM modelreg_check() WHERE NOT ok}), "preload\nsettings", 'modelreg_check says that the library is not preloaded');
# Whatever is set without the library is taken.
$node->safe_psql('postgres', 'ALTER DATABASE postgres SET modelreg.max_version = 5; ALTER ROLE regress_modelreg_writer IN DATABASE postgres SET "modelreg.Notfy" = 1; ALTER ROLE regress_modelreg_writer SET modelreg.max_versions = 3; ALTER DATABASE second SET modelreg.other = 1');
my $unknown = 'SELECT detail FROM modelreg_check() WHERE item = \'settings\' AND NOT ok';
my $told = 'there is no such setting: modelreg.Notfy (role regress_modelreg_writer in database postgres), modelreg.max_version (database postgres)';
is($node->safe_psql('postgres', $unknown), "$told, modelreg.no_such_thing (@{[$node->data_dir]}/postgresql.conf)", 'modelreg_check names what nothing else complains about');
is($node->safe_psql('postgres', $unknown, @user), $told, '... to others than superusers without what is in the files');
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET modelreg.max_version; ALTER ROLE regress_modelreg_writer IN DATABASE postgres RESET ALL; ALTER ROLE regress_modelreg_writer RESET ALL');

my ($status, $stdout, $stderr) = $node->psql('postgres', <<'SQL', @user);
SET modelreg.max_versions = 1;
SET modelreg.verify_checksums = off;
SELECT modelreg.library_version() IS NOT NULL;
SHOW modelreg.max_versions;
SHOW modelreg.verify_checksums;
SQL
is($stdout, "t\n10\noff", 'what a user had set without the right to is not taken over');
like($stderr, qr/WARNING:  permission denied to set parameter "modelreg\.max_versions"/, '... with a warning');
is($node->safe_psql('postgres', 'SET modelreg.max_versions = 7; SELECT modelreg.library_version() IS NOT NULL; SHOW modelreg.max_versions'),
	"t\n7", 'what a superuser had set is');
is($node->safe_psql('postgres', q{SELECT version_number FROM modelreg_register('10', 'm', performance_metrics => '{"auc": 1}')}), '10',
	'registration works without preloading');

# ---- A library that is not there ----------------------------------------------------------------

# Set for a database it keeps sessions out of that one alone, and a superuser gets in.
$node->safe_psql('postgres', q{ALTER DATABASE second SET session_preload_libraries = 'no_such_library'});
my $connect = sub {
	my ($database, $options) = @_;
	local $ENV{PGOPTIONS} = $options // '';
	return ($node->psql($database, 'SELECT 1'))[2];
};
like($connect->('second'), qr/FATAL:  could not access file "no_such_library"/, 'a library that is missing keeps everybody out of the database');
is($connect->('postgres'), '', '... of no other');
is($connect->('second', '-c session_preload_libraries='), '', 'there is a way in');
{
	local $ENV{PGOPTIONS} = '-c session_preload_libraries=';
	$node->safe_psql('second', 'ALTER DATABASE second RESET session_preload_libraries');
}
is($connect->('second'), '', '... by which it is undone');

$node->stop;
done_testing();
