# Variants of an artifact, which share most of their chunks, are registered,
# uploaded, given up and deleted while cleanups run: no artifact loses a byte, and
# in the end nothing is left that nobody uses.
use strict;
use warnings;

use ModelregTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = ModelregTest::stress_seconds();
my $node = ModelregTest::node('main', conf => <<'CONF');
max_connections = 40
log_statement = none
log_line_prefix = 'state=%e '
deadlock_timeout = 100ms
autovacuum_naptime = 5s
modelreg.max_versions = 12
modelreg.upload_expiry = 20s
modelreg.notify = none
CONF

# A variant is the base with a thousand bytes replaced at one of six places by one
# of four things, of one of two lengths: half of it shrinks, half does not.
my $base = ModelregTest::noise('base', 350_000);
my $variants = 48;
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE base (data bytea);
INSERT INTO base SELECT $base || convert_to(string_agg('weight ' || n || ' = 0.' || n % 97, chr(10)), 'UTF8') FROM generate_series(1, 20000) AS n;
CREATE TABLE variant AS
SELECT v, substr(overlay(data PLACING convert_to(repeat(md5((v / 6 % 4)::text), 31), 'UTF8') FROM 1 + v % 6 * 100000), 1, CASE WHEN v >= 24 THEN 400000 ELSE 700000 END) AS data
FROM base, generate_series(0, $variants - 1) AS v;
ALTER TABLE variant ADD PRIMARY KEY (v), ADD sha256 text;
UPDATE variant SET sha256 = encode(sha256(data), 'hex');
CREATE FUNCTION register(client int, which int) RETURNS text LANGUAGE sql
AS \$\$ SELECT model_id FROM variant, modelreg_register(data, 'm' || client, performance_metrics => '{"auc": 1}', expected_checksum => sha256) WHERE v = which \$\$;
CREATE FUNCTION append(id uuid, which int, step int, steps int) RETURNS bigint LANGUAGE sql
AS \$\$ SELECT modelreg_upload_append(id, substr(data, 1 + length(data) * (step - 1) / steps, length(data) * step / steps - length(data) * (step - 1) / steps), length(data) * (step - 1) / steps) FROM variant WHERE v = which \$\$;
CREATE FUNCTION register_upload(id uuid, client int, which int) RETURNS text LANGUAGE sql
AS \$\$ SELECT model_id FROM variant, modelreg_register_upload(id, 'm' || client, performance_metrics => '{"auc": 1}', expected_checksum => sha256) WHERE v = which \$\$;
CREATE FUNCTION some_id() RETURNS text LANGUAGE sql VOLATILE
AS 'SELECT model_id FROM modelreg.model_version ORDER BY random() LIMIT 1';
-- the version may be another session's, and gone
CREATE TABLE outcome (deed text, sqlstate text);
CREATE FUNCTION try(deed text, command text) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
	EXECUTE command;
	INSERT INTO outcome VALUES (deed, 'done');
EXCEPTION
	WHEN undefined_object THEN
		INSERT INTO outcome VALUES (deed, SQLSTATE);
END \$\$;
SQL

# ---- The stress -----------------------------------------------------------------------

# A model for each client and variants in ascending order, so that transactions
# with two registrations do not deadlock.
my $begin = qq{\\set v random(0, $variants - 2)
\\set w random(:v + 1, $variants - 1)
\\set codec random(0, 2)
\\set size random(0, 2)
SELECT set_config('modelreg.compression', enumvals[1 + :codec % cardinality(enumvals)], false) FROM pg_settings WHERE name = 'modelreg.compression';
};
my $new = "SELECT modelreg_upload_begin() AS id \\gset\n";
my %script = (
	'150_register@5' => 'SELECT register(:client_id, :v);',
	'150_twice@2' => 'BEGIN; SELECT register(:client_id, :v); SELECT register(:client_id, :w); COMMIT;',
	'150_snapshot@2' => "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM modelreg.chunk;\n\\sleep 20 ms\nSELECT register(:client_id, :v);\nCOMMIT;",
	'150_serializable@1' => "BEGIN ISOLATION LEVEL SERIALIZABLE;\nSELECT 1;\n\\sleep 20 ms\nSELECT register(:client_id, :v);\nCOMMIT;",
	'150_savepoint@2' => 'BEGIN; SAVEPOINT s; SELECT register(:client_id, :v); ROLLBACK TO s; SELECT register(:client_id, :v); COMMIT;',
	'150_rollback@1' => 'BEGIN; SELECT register(:client_id, :v); ROLLBACK;',
	'150_upload@3' => "BEGIN;\n$new" . join('', map { "SELECT append(':id', :v, $_, 3);\n" } 1 .. 3) . "SELECT register_upload(':id', :client_id, :v);\nCOMMIT;",
	'150_upload_in_parts@3' => $new . join('', map { "SELECT append(':id', :v, $_, 5);\n" } 1 .. 5) . "SELECT register_upload(':id', :client_id, :v);",
	'150_upload_savepoint@3' => $new . join('', map { "BEGIN; SAVEPOINT s; SELECT append(':id', :w, $_, 3) WHERE $_ = 1; ROLLBACK TO s; SELECT append(':id', :v, $_, 3); SAVEPOINT t; SELECT append(':id', :v, $_ + 1, 3); ROLLBACK TO t; COMMIT;\n" } 1 .. 2) . "SELECT append(':id', :v, 3, 3); SELECT register_upload(':id', :client_id, :v);",
	'150_abort@2' => "$new SELECT append(':id', :v, 1, 2);\nSELECT modelreg_upload_abort(':id');",
	'150_give_up@1' => "$new SELECT append(':id', :v, 1, 2);",
	'150_delete@9' => q{SELECT try('delete', format('SELECT modelreg_delete(%L)', id)) FROM some_id() AS id WHERE id IS NOT NULL;},
	'150_load@3' => q{SELECT try('load', format('SELECT length(modelreg_load(%L))', id)) FROM some_id() AS id WHERE id IS NOT NULL;},
	'150_download@2' => q{SELECT try('download', format('SELECT sum(length(piece)) FROM (SELECT modelreg_download(%L)) AS d (piece)', id)) FROM some_id() AS id WHERE id IS NOT NULL;},
	'150_cleanup_1@1' => 'CALL modelreg_cleanup(batch_size => 1);',
	'150_cleanup_3@1' => 'CALL modelreg_cleanup(batch_size => 3);',
	'150_cleanup_100@2' => 'CALL modelreg_cleanup(batch_size => 100);');
$script{$_} = $begin . $script{$_} for keys %script;

my $before = -s $node->logfile;
$node->pgbench("--no-vacuum --client=8 --jobs=2 --time=$seconds --max-tries=1000", 0,
	[ qr{number of failed transactions: 0 } ], [qr{^$}],
	"$seconds seconds of all that without an error that is not allowed", \%script);

# What pgbench tried again is in the log.
my $log = substr(slurp_file($node->logfile), $before);
my %state;
$state{$1}++ while $log =~ /^state=(\S+) (?:ERROR|FATAL|PANIC):/mg;
note(join ', ', map { "$_: $state{$_}" } sort keys %state);
is(join(' ', grep { $_ ne '40001' } sort keys %state), '', 'no error but 40001');
my $outcome = $node->safe_psql('postgres', 'SELECT deed, sqlstate, count(*) FROM outcome GROUP BY 1, 2 ORDER BY 1, 2');
note($outcome);
like($outcome, qr/^$_\|done\|\d\d/m, "there was much to $_") for qw(delete load download);
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM modelreg.audit_event WHERE event = 'register'}), '>', 100, 'there were registrations');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM modelreg.audit_event WHERE event = 'delete'}), '>', 100, 'and deletions');

# ---- What is left ---------------------------------------------------------------------

# Uploads that were given up included.
$node->safe_psql('postgres', 'ALTER SYSTEM SET modelreg.upload_expiry = 0; SELECT pg_reload_conf()');
$node->poll_query_until('postgres', q{SELECT current_setting('modelreg.upload_expiry') = '0'});
$node->safe_psql('postgres', 'CALL modelreg_cleanup()');

my $left = <<'SQL';
SELECT (SELECT count(*) FROM modelreg_verify() WHERE NOT ok),
	(SELECT count(*) FROM modelreg_verify() WHERE model_id IS NULL),
	(SELECT count(*) FROM modelreg_audit_verify() WHERE NOT ok),
	(SELECT count(*) FROM modelreg.artifact WHERE encode(sha256, 'hex') NOT IN (SELECT checksum FROM modelreg.model_version)),
	(SELECT count(*) FROM modelreg.artifact_chunk WHERE content NOT IN (SELECT content FROM modelreg.artifact)),
	(SELECT count(*) FROM modelreg.chunk WHERE chunk NOT IN (SELECT chunk FROM modelreg.artifact_chunk)),
	(SELECT count(*) FROM modelreg.chunk_piece WHERE chunk NOT IN (SELECT chunk FROM modelreg.chunk)),
	(SELECT count(*) FROM modelreg.discarded_content),
	(SELECT count(*) FROM modelreg.upload)
SQL
is($node->safe_psql('postgres', $left), '0|0|0|0|0|0|0|0|0', 'every artifact is whole, and there is nothing else')
  or diag($node->safe_psql('postgres', 'SELECT * FROM modelreg_verify() WHERE NOT ok OR model_id IS NULL LIMIT 10'));
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM modelreg.artifact'), '>', 5, 'there are artifacts');
is($node->safe_psql('postgres', 'SELECT count(*) FROM modelreg.model_version JOIN variant ON checksum = sha256 WHERE modelreg_load(model_id) <> data'),
	'0', 'all are what was registered');

# ---- Space is reused -------------------------------------------------------------------

# Empty, and with its size left as it is: new rows go where the old ones were.
sub delete_all
{
	my ($vacuum) = @_;
	$node->safe_psql('postgres', 'SELECT modelreg_delete_model(model_name) FROM modelreg.model');
	$node->safe_psql('postgres', 'CALL modelreg_cleanup()');
	is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM modelreg.artifact), (SELECT count(*) FROM modelreg.artifact_chunk), (SELECT count(*) FROM modelreg.chunk), (SELECT count(*) FROM modelreg.chunk_piece)'),
		'0|0|0|0', 'all is deleted, and nothing left');
	$node->safe_psql('postgres', "$vacuum modelreg.$_") for qw(artifact artifact_chunk chunk chunk_piece);
	return;
}

sub register_all
{
	$node->safe_psql('postgres', "SELECT register(v % 3, v) FROM variant ORDER BY v");
	return $node->safe_psql('postgres', q{SELECT pg_relation_size('modelreg.chunk_piece')});
}

delete_all('VACUUM (TRUNCATE)');
cmp_ok($node->safe_psql('postgres', q{SELECT pg_relation_size('modelreg.chunk_piece')}), '<', 100_000, 'VACUUM gives the space back');
my $size = register_all();
cmp_ok($size, '>', 500_000, 'all variants are stored');
for my $round (1 .. 3)
{
	delete_all('VACUUM (TRUNCATE false)');
	cmp_ok(register_all(), '<=', 1.2 * $size, "round $round: the same again need no more space");
}

$node->stop;
done_testing();
