# pg_dump and restore, in every format and in parallel, bring back the same
# tables, a trail that verifies, and a registry that goes on where it was.
use strict;
use warnings;

use ModelregTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = ModelregTest::node('main');
my $dumps = PostgreSQL::Test::Utils::tempdir();

ModelregTest::fill($node, 'postgres');
is(ModelregTest::problems($node, 'postgres'), '', 'the registry is sound');
my $tables = ModelregTest::fingerprint($node, 'postgres');
my $anchor = $node->safe_psql('postgres', 'SELECT modelreg_audit_head()');

# Each table has rows, or its comparison would say nothing.
unlike($tables, qr/\|0\|/, 'no table is empty');
is(() = $tables =~ /^/mg, 14, 'fourteen tables are compared');

# ---- Dumps -------------------------------------------------------------------

my %dump = (
	plain => [ '-Fp', '-f', "$dumps/plain" ],
	custom => [ '-Fc', '-f', "$dumps/custom" ],
	directory => [ '-Fd', '-j2', '-f', "$dumps/directory" ],
	data => [ '-Fc', '--data-only', '-f', "$dumps/data" ]);
$node->command_ok([ 'pg_dump', @{ $dump{$_} }, '-d', 'postgres' ], "dump: $_")
  for sort keys %dump;

# What the script granted is the extension's, not the database's.
my $plain = slurp_file("$dumps/plain");
unlike($plain, qr/^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES)\b/m,
	'no rights in the dump of an installation that nobody changed');
unlike($plain, qr/^(?:CREATE TABLE|CREATE FUNCTION|ALTER TABLE)\b/m,
	'no members in the dump');
like($plain, qr/^CREATE EXTENSION IF NOT EXISTS modelreg WITH SCHEMA public/m,
	'but the extension');

# ---- Restores ------------------------------------------------------------------

my $databases = 0;

# Restore into a new database and compare.
sub restore
{
	my ($what, $to, $prepare, @command) = @_;
	my $database = 'restored' . ++$databases;
	$to->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0");
	$to->safe_psql($database, $prepare) if $prepare;
	$to->command_ok([ map { $_ eq 'DATABASE' ? $database : $_ } @command ],
		"restore: $what");
	same($what, $to, $database);
	return $database;
}

sub same
{
	my ($what, $to, $database) = @_;
	is(ModelregTest::fingerprint($to, $database), $tables, "$what: tables");
	is(ModelregTest::problems($to, $database), '', "$what: sound");
	is($to->safe_psql($database,
			"SELECT count(*) FROM modelreg_audit_verify(anchor => \$\$$anchor\$\$) WHERE NOT ok"),
		'0', "$what: anchor");
	is(goes_on($to, $database), "fraud|6|2.1.0|t\nnew|1|0.1.0|t",
		"$what: goes on");
	is(upload_goes_on($to, $database), '400017|t|t', "$what: so does the upload");
	return;
}

# The next version of a model, the first of another, and does it hold up?
sub goes_on
{
	my ($to, $database) = @_;
	my $next = $to->safe_psql($database, <<'SQL');
DO $$
BEGIN
	PERFORM modelreg_register('fraud', 'x', model_name => 'fraud', performance_metrics => '{"f1_score": 1}');
	PERFORM modelreg_register('new', 'x', model_name => 'new', performance_metrics => '{"f1_score": 1}');
END $$;
SELECT model_name, version_number, version, modelreg_load(model_id) = convert_to(model_name, 'UTF8')
FROM modelreg.model_version WHERE version_number = 6 OR model_name = 'new' ORDER BY model_name;
DO $$
BEGIN
	PERFORM modelreg_update_stage((SELECT model_id FROM modelreg_find_latest(model_name => 'fraud')), 'staging');
	PERFORM modelreg_set_stage_rule('staging', 'canary', false);
END $$;
SQL
	return $next . ModelregTest::problems($to, $database);
}

# Go on with the unfinished upload, which has bytes in chunks and bytes in its
# row, and register it.
my $uploaded = ModelregTest::noise('unfinished', 200_000);

sub upload_goes_on
{
	my ($to, $database) = @_;
	my $loaded = $to->safe_psql($database, <<"SQL");
DO \$\$
BEGIN
	PERFORM modelreg_upload_append(u.upload_id, ' and a new end', s.bytes_held)
	FROM modelreg.upload AS u, modelreg_upload_status(u.upload_id) AS s;
	PERFORM modelreg_register_upload(upload_id, 'uploaded', performance_metrics => '{"f1_score": 1}') FROM modelreg.upload;
END \$\$;
SELECT artifact_size, modelreg_load(model_id) = $uploaded || $uploaded || 'end and a new end',
	checksum = encode(sha256($uploaded || $uploaded || 'end and a new end'), 'hex')
FROM modelreg_find_latest('uploaded');
SQL
	return $loaded . ModelregTest::problems($to, $database);
}

my @psql = qw(psql -X -q -v ON_ERROR_STOP=1 -d DATABASE -f);
my @pg_restore = qw(pg_restore --exit-on-error -d DATABASE);
my $extension = 'CREATE EXTENSION modelreg';
restore('plain', $node, '', @psql, "$dumps/plain");
my $database = restore('custom', $node, '', @pg_restore, "$dumps/custom");
restore('directory', $node, '', @pg_restore, "$dumps/directory");
restore("directory, parallel, no. $_", $node, '', @pg_restore, '-j4', "$dumps/directory")
  for 1 .. 4;
restore('data only', $node, $extension, @pg_restore, '--data-only', "$dumps/data");
restore('data only, parallel', $node, $extension, @pg_restore, '--data-only', '-j4', "$dumps/directory");
restore('data only, in a transaction', $node, $extension, @pg_restore, '--data-only', '-1', "$dumps/data");

# A restored registry can be dumped and restored again, over what is there.
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dumps/second", '-d', $database ], 'dump of a restored database');
$tables = ModelregTest::fingerprint($node, $database);
$node->command_ok([ 'pg_restore', '--clean', '--if-exists', '--exit-on-error', '-d', $database, "$dumps/second" ],
	'restore with --clean over it');
is(ModelregTest::fingerprint($node, $database), $tables, 'clean: tables');
is(ModelregTest::problems($node, $database), '', 'clean: sound');

# ---- Rights ----------------------------------------------------------------------

# A role that reads all data may dump; what the DBA granted and revoked survives.
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_modelreg_backup LOGIN;
GRANT pg_read_all_data TO regress_modelreg_backup;
CREATE ROLE regress_modelreg_grafana;
GRANT USAGE ON SCHEMA modelreg TO regress_modelreg_grafana;
GRANT SELECT ON modelreg.production_model, modelreg.model_version TO regress_modelreg_grafana;
GRANT UPDATE (notes) ON modelreg.model_version TO modelreg_writer;
REVOKE EXECUTE ON FUNCTION modelreg_delete FROM modelreg_writer;
SQL
$node->command_ok([ 'pg_dump', '-Fp', '-U', 'regress_modelreg_backup', '-f', "$dumps/rights", '-d', 'postgres' ],
	'dump by a role that is no superuser');
my @acl = slurp_file("$dumps/rights") =~ /^((?:GRANT|REVOKE).*)/mg;
is(scalar(grep { !/regress_modelreg_grafana|UPDATE\(notes\)|modelreg_delete/ } @acl), 0,
	'the dump has the rights that the DBA changed, and no others')
  or diag(join "\n", @acl);
$node->safe_psql('postgres', 'CREATE DATABASE rights TEMPLATE template0');
$node->command_ok([ qw(psql -X -q -v ON_ERROR_STOP=1 -d rights -f), "$dumps/rights" ], 'restore: rights');
is($node->safe_psql('rights', <<'SQL'), 't|t|f|t|f|t', 'rights survive');
SELECT has_table_privilege('regress_modelreg_grafana', 'modelreg.production_model', 'SELECT'),
	has_schema_privilege('regress_modelreg_grafana', 'modelreg', 'USAGE'),
	has_table_privilege('regress_modelreg_grafana', 'modelreg.model', 'SELECT'),
	has_column_privilege('modelreg_writer', 'modelreg.model_version', 'notes', 'UPDATE'),
	has_function_privilege('modelreg_writer', 'modelreg_delete(text,boolean,text)', 'EXECUTE'),
	has_function_privilege('modelreg_writer', 'modelreg_update(text,text,text[],jsonb,text,jsonb)', 'EXECUTE')
SQL
is(ModelregTest::problems($node, 'rights'), '', 'rights: sound');

# ---- Other versions of PostgreSQL --------------------------------------------------

my ($major) = $node->pg_version =~ /^(\d+)/;
my @newer = grep { $_->{major} > $major } ModelregTest::other_servers();

SKIP:
{
	skip 'no newer PostgreSQL at hand (make test-all-versions)', 1 unless @newer;

	$tables = ModelregTest::fingerprint($node, 'postgres');
	for my $server (@newer)
	{
		my $new = ModelregTest::node("pg$server->{major}", server => $server, extension => 0);
		$new->safe_psql('postgres', 'CREATE ROLE regress_modelreg_grafana');
		my $dump = "$dumps/for_$server->{major}";
		# the newer pg_dump, as the manual advises
		$new->command_ok([ 'pg_dump', '-Fd', '-j2', '-f', $dump, '-h', $node->host, '-p', $node->port, '-d', 'postgres' ],
			"dump of $major by $server->{major}");
		restore("$major to $server->{major}, parallel", $new, '', @pg_restore, '-j4', $dump);
		restore("$major to $server->{major}", $new, '', @pg_restore, $dump);
		$new->stop;
	}
}

$node->stop;
done_testing();
