# The server log: every refusal is there, also one that the client caught; no
# artifact is there, whatever goes wrong.
use strict;
use warnings;

use ModelregTest;
use PostgreSQL::Test::Utils;
use Test::More;

# The defaults, which the clusters of these tests change.
my $node = ModelregTest::node('main', conf => <<'CONF');
log_statement = none
log_parameter_max_length = -1
log_line_prefix = '%u '
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_modelreg_writer LOGIN IN ROLE modelreg_writer;
CREATE ROLE regress_modelreg_login LOGIN NOINHERIT;
GRANT regress_modelreg_writer TO regress_modelreg_login;
GRANT UPDATE, DELETE ON modelreg.model_version TO modelreg_writer;
SELECT modelreg_register('p', 'm', '1.0.0', performance_metrics => '{"auc": 1}', deployment_stage => 'production');
SELECT modelreg_register('a', 'm', '2.0.0', performance_metrics => '{"auc": 1}', deployment_stage => 'archived');
SQL
my $production = $node->safe_psql('postgres', q{SELECT model_id FROM modelreg_find_latest(version => '1.0.0')});
my $archived = $node->safe_psql('postgres', q{SELECT model_id FROM modelreg_find_latest(version => '2.0.0')});

# ---- Refusals -----------------------------------------------------------------------------

# What the log gains while a statement runs.
sub logged
{
	my ($sql, @options) = @_;
	my $offset = -s $node->logfile;
	my ($status, $stdout, $stderr) = $node->psql('postgres', $sql, @options);
	return (substr(slurp_file($node->logfile), $offset), $stderr);
}

my $is_writer = [ extra_params => [ '-U', 'regress_modelreg_writer' ] ];
my $is_login = [ extra_params => [ '-U', 'regress_modelreg_login' ] ];
my @refusals = (
	[ 'registration into production', $is_writer,
		q{SELECT modelreg_register('x', 'm', performance_metrics => '{"auc": 1}', deployment_stage => 'production')},
		'regress_modelreg_writer', 'regress_modelreg_writer', 'register in production a version of model "m"' ],
	[ 'promotion', $is_writer, "SELECT modelreg_update_stage('$archived', 'staging')",
		'regress_modelreg_writer', 'regress_modelreg_writer', qq{move from archived to staging model version "$archived"} ],
	[ 'promotion after SET ROLE', $is_login, "SELECT modelreg_update_stage('$archived', 'staging')",
		'regress_modelreg_writer', 'regress_modelreg_login', qq{move from archived to staging model version "$archived"} ],
	[ 'edit of what another registered', $is_writer, "SELECT modelreg_update('$archived', notes => 'x')",
		'regress_modelreg_writer', 'regress_modelreg_writer', qq{edit model version "$archived"} ],
	[ 'forced deletion', $is_writer, "SELECT modelreg_delete('$archived', true)",
		'regress_modelreg_writer', 'regress_modelreg_writer', qq{force the deletion of model version "$archived"} ],
	[ 'plain move', $is_writer, "UPDATE modelreg.model_version SET deployment_stage = 'staging' WHERE model_id = '$archived'",
		'regress_modelreg_writer', 'regress_modelreg_writer', qq{move from archived to staging model version "$archived"} ],
	[ 'plain change of what is fixed', $is_writer, "UPDATE modelreg.model_version SET checksum = repeat('0', 64)",
		'regress_modelreg_writer', 'regress_modelreg_writer', 'change "checksum of a model version"' ],
	[ 'deletion in production', [], "SELECT modelreg_delete('$production')",
		'SUPERUSER', 'SUPERUSER', qq{delete the production version "$production"} ],
	[ 'plain deletion in production', [], "DELETE FROM modelreg.model_version WHERE model_id = '$production'",
		'SUPERUSER', 'SUPERUSER', qq{delete the production version "$production"} ],
	[ 'illegal move', [], "SELECT modelreg_update_stage('$archived', 'production')",
		'SUPERUSER', 'SUPERUSER', qq{move model version "$archived"} ],
	[ 'change of the trail', [], 'DELETE FROM modelreg.audit_event',
		'SUPERUSER', 'SUPERUSER', 'change "audit_event"' ],
	[ 'truncation', [], 'TRUNCATE modelreg.audit_event',
		'SUPERUSER', 'SUPERUSER', 'change "audit_event"' ]);
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');
for my $refusal (@refusals)
{
	my ($what, $as, $sql, $role, $session, $deed) = @$refusal;
	s/SUPERUSER/$superuser/ for $role, $session;
	my $line = qr/LOG:  modelreg refused role "$role" \(session user "$session"\) to \Q$deed\E$/m;
	my $set_role = $as == $is_login ? "SET ROLE regress_modelreg_writer;\n" : '';

	my ($log, $stderr) = logged("$set_role$sql", @$as);
	like($stderr, qr/ERROR/, "$what: refused");
	like($log, $line, "$what: in the log");
	is(() = $log =~ /modelreg refused/g, 1, "$what: once");

	($log, $stderr) = logged(qq{$set_role DO \$do\$ BEGIN EXECUTE \$sql\$$sql\$sql\$; EXCEPTION WHEN OTHERS THEN NULL; END \$do\$}, @$as);
	is($stderr, '', "$what: caught");
	unlike($log, qr/ERROR/, "$what: the log has no error");
	like($log, $line, "$what: but the refusal");
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM modelreg.audit_event'), '3', 'nothing of this is in the trail');
my ($log) = logged(q{SET client_min_messages = debug1; SELECT modelreg_register('fine', 'm', performance_metrics => '{"auc": 1}')});
unlike($log, qr/refused/, 'what is allowed is not in the log');

# ---- Artifacts -------------------------------------------------------------------------------

# Sent as a parameter, as every driver does.  The bytes are recognised in any
# form in which they could be printed.
my $hex = '6361666562616265' x 6_000;    # 48 kB of "cafebabe", as long as an argument may be
my $bytes = qr/cafebabe|6361666562616265/;
my $before = -s $node->logfile;
my @failures = (
	[ '22023', q{SELECT modelreg_register(:artifact::bytea, 'm', 'no version', performance_metrics => '{"auc": 1}');} ],
	[ '23505', q{SELECT modelreg_register(:artifact::bytea, 'm', '1.0.0', performance_metrics => '{"auc": 1}');} ],
	[ '22023', q{SELECT modelreg_register(:artifact::bytea, 'm', performance_metrics => '{"auc": "high"}');} ],
	[ '22023', q{SELECT modelreg_register(:artifact::bytea, 'm');} ],
	[ '22000', q{SELECT modelreg_register(:artifact::bytea, 'm', expected_checksum => repeat('0', 64), performance_metrics => '{"auc": 1}');} ],
	[ '42704', q{SELECT modelreg_register(:artifact::bytea, 'm', parent_ids => '{nobody}', performance_metrics => '{"auc": 1}');} ],
	[ '57014', qq{SET statement_timeout = 1;\nSELECT modelreg_register(:artifact::bytea, 'm', performance_metrics => '{"auc": 1}') FROM generate_series(1, 1000);} ],
	[ '42501', qq{SET ROLE pg_monitor;\nSELECT public.modelreg_register(:artifact::bytea, 'm', performance_metrics => '{"auc": 1}');} ],
	[ '22023', q{SELECT modelreg_upload_append(modelreg_upload_begin(), :artifact::bytea, 1);} ],
	[ '42704', q{SELECT modelreg_upload_append('00000000-0000-0000-0000-000000000000', :artifact::bytea);} ],
	[ '42501', qq{SET ROLE pg_monitor;\nSELECT public.modelreg_upload_append('00000000-0000-0000-0000-000000000000', :artifact::bytea);} ]);
my $n = 0;
for my $failure (@failures)
{
	my ($sqlstate, $sql) = @$failure;
	$n++;
	my $file = "$PostgreSQL::Test::Utils::tmp_check/log_$n.sql";
	append_to_file($file, $sql);
	my $offset = -s $node->logfile;
	$node->command_checks_all(
		[ 'pgbench', '-n', '-M', 'extended', '-t1', '-D', "artifact=\\x$hex", '-f', $file, '-h', $node->host, '-p', $node->port, 'postgres' ],
		2, [], [qr/ERROR/], "fails: $sqlstate");
	my $gained = substr(slurp_file($node->logfile), $offset);
	like($gained, qr/ERROR:/, "$sqlstate is in the log");
	unlike($gained, $bytes, '... without the artifact');
	cmp_ok(length $gained, '<', 10_000, '... and short');
}

# Damage is reported without the bytes, too.
$node->safe_psql('postgres', qq{SET modelreg.compression = none; SELECT modelreg_register('\\x$hex', 'damaged', performance_metrics => '{"auc": 1}')});
$node->safe_psql('postgres', <<'SQL');
ALTER TABLE modelreg.chunk_piece DISABLE TRIGGER USER;
UPDATE modelreg.chunk_piece SET data = set_byte(data, 9, 0) WHERE piece_no = 5;
ALTER TABLE modelreg.chunk_piece ENABLE ALWAYS TRIGGER chunk_piece_row_guard;
ALTER TABLE modelreg.chunk_piece ENABLE ALWAYS TRIGGER chunk_piece_statement_guard;
SQL
($log, my $stderr) = logged(q{SELECT * FROM modelreg_load_latest('damaged')});
like($stderr, qr/do not match their checksum/, 'damage is an error');
unlike($log . $stderr, $bytes, '... that shows no bytes');
($log, $stderr) = logged(q{SELECT modelreg_download(model_id, 1) FROM modelreg_find_latest('damaged')});
like($stderr, qr{do not match their checksum}, 'damage in a range is an error');
unlike($log . $stderr, $bytes, '... that shows no bytes either');
($log, $stderr) = logged(q{SELECT * FROM modelreg_scrub()});
like($stderr, qr/WARNING:.*is damaged/, 'a scrub warns of it');
unlike($log . $stderr, $bytes, '... without the bytes');
($log, $stderr) = logged(q{DELETE FROM modelreg.chunk_piece; UPDATE modelreg.chunk_piece SET data = data || data; INSERT INTO modelreg.chunk_piece SELECT * FROM modelreg.chunk_piece});
unlike($log . $stderr, $bytes, 'refused changes of the byte tables show no bytes');
unlike(substr(slurp_file($node->logfile), $before), $bytes, 'no artifact in the log');

$node->stop;
done_testing();
