# The scheduled cleanup, run by the real pg_cron: in the database it lives in,
# and in another one by the statement that the hint gives.
use strict;
use warnings;

use ModelregTest;
use Test::More;

my $node = ModelregTest::node('main', cron => 'postgres', conf => "modelreg.max_versions = 2\nlog_statement = none\n");

sub sqlstate
{
	my ($database, $sql, @options) = @_;
	return ModelregTest::sqlstate($node, $database, $sql, @options);
}

# The hint of an error.
sub hint
{
	my ($database, $sql, @options) = @_;
	my ($status, $stdout, $stderr) = $node->psql($database, $sql, @options);
	return $stderr =~ /^HINT:\s+(.*)/m ? $1 : "no hint in: $stderr";
}

$node->safe_psql('postgres', <<'SQL');
CREATE DATABASE "other ' db";
CREATE ROLE regress_modelreg_writer LOGIN IN ROLE modelreg_writer;
CREATE ROLE regress_modelreg_admin LOGIN IN ROLE modelreg_admin;
CREATE ROLE regress_modelreg_mallory LOGIN;
GRANT CREATE ON DATABASE postgres TO regress_modelreg_mallory;
SQL
my $other = "other ' db";
$node->safe_psql($other, 'CREATE SCHEMA ml; CREATE EXTENSION modelreg SCHEMA ml');
my $fill = q{SELECT %smodelreg_register(convert_to(n::text, 'UTF8'), 'm', performance_metrics => '{"auc": 1}') FROM generate_series(1, 5) AS n};
$node->safe_psql('postgres', sprintf($fill, ''));
$node->safe_psql($other, sprintf($fill, 'ml.'));

# ---- Without pg_cron; with a false one ------------------------------------------------

is(sqlstate('postgres', 'SELECT modelreg_schedule_cleanup()'), '55000', 'without the extension pg_cron: 55000');
is(sqlstate('postgres', <<'SQL', extra_params => [ '-U', 'regress_modelreg_mallory' ]), '', 'mallory makes a schema cron');
CREATE SCHEMA cron;
CREATE TABLE cron.canary (who name);
CREATE TABLE cron.job (jobid bigint, jobname text, username text);
CREATE FUNCTION cron.schedule_in_database(text, text, text, text, text DEFAULT NULL, boolean DEFAULT true) RETURNS bigint LANGUAGE plpgsql AS
$$BEGIN INSERT INTO cron.canary VALUES (current_user); RETURN 1; END$$;
CREATE FUNCTION cron.unschedule(text) RETURNS boolean LANGUAGE plpgsql AS
$$BEGIN INSERT INTO cron.canary VALUES (current_user); RETURN true; END$$;
GRANT USAGE ON SCHEMA cron TO PUBLIC;
GRANT ALL ON ALL TABLES IN SCHEMA cron TO PUBLIC;
SQL
is(sqlstate('postgres', 'SELECT modelreg_schedule_cleanup()'), '55000', 'a false pg_cron is not taken for one');
is(sqlstate('postgres', 'SELECT modelreg_unschedule_cleanup()'), '55000', '... nor asked to unschedule');
$node->safe_psql('postgres', 'SELECT * FROM modelreg_check()');
is($node->safe_psql('postgres', 'SELECT count(*) FROM cron.canary'), '0', 'nothing of it ran');
$node->safe_psql('postgres', 'DROP SCHEMA cron CASCADE; CREATE EXTENSION pg_cron');

# ---- Schedule ---------------------------------------------------------------------------

# pg_cron counts minutes up to version 1.4, seconds since.
my $frequent = $node->safe_psql('postgres', q{SELECT CASE WHEN extversion ~ '^1\.[0-4]([^0-9]|$)' THEN '* * * * *' ELSE '2 seconds' END FROM pg_extension WHERE extname = 'pg_cron'});

is(sqlstate('postgres', 'SELECT modelreg_schedule_cleanup()', extra_params => [ '-U', 'regress_modelreg_writer' ]), '42501', 'no writer schedules');
my $job = $node->safe_psql('postgres', 'SELECT modelreg_schedule_cleanup()');
is($node->safe_psql('postgres', 'SELECT jobid, schedule, command, database, username, active FROM cron.job'),
	"$job|0 3 * * *|CALL public.modelreg_cleanup()|postgres|" . $node->safe_psql('postgres', 'SELECT current_user') . '|t',
	'a job, nightly by default');
is($node->safe_psql('postgres', q{SELECT modelreg_schedule_cleanup('30 4 * * 0')}), $job, 'scheduled again: the same job');
is($node->safe_psql('postgres', 'SELECT count(*), min(schedule) FROM cron.job'), '1|30 4 * * 0', '... with another schedule');
is($node->safe_psql('postgres', 'SELECT modelreg_schedule_cleanup(NULL)'), $job, 'and with none');
is($node->safe_psql('postgres', 'SELECT count(*), min(schedule) FROM cron.job'), '1|0 3 * * *', '... nightly again');
$node->safe_psql('postgres', "SELECT modelreg_schedule_cleanup('$frequent')");
is(sqlstate('postgres', q{SELECT modelreg_schedule_cleanup('every full moon')}), '22023', 'pg_cron judges the schedule');

# In another database: an error whose hint makes the job.
is(sqlstate($other, "SELECT ml.modelreg_schedule_cleanup('$frequent')"), '55000', 'in another database: 55000');
my $hint = hint($other, "SELECT ml.modelreg_schedule_cleanup('$frequent')");
like($hint, qr/\(postgres\)/, 'the hint names the database that pg_cron lives in');
my ($statement) = $hint =~ /(SELECT .*;)/;
like($node->safe_psql('postgres', $statement), qr/^\d+$/, 'the statement of the hint makes a job');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT jobname), count(DISTINCT database) FROM cron.job'), '2|2', '... a second one');

# ---- Run ------------------------------------------------------------------------------------

# At the next full minute at the latest, in both databases.
$node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM (SELECT DISTINCT jobid FROM cron.job_run_details WHERE status = 'succeeded') AS j})
  or diag($node->safe_psql('postgres', 'SELECT * FROM cron.job_run_details'));
is($node->safe_psql('postgres', q{SELECT DISTINCT return_message FROM cron.job_run_details WHERE status <> 'succeeded' AND status <> 'running'}),
	'', 'the jobs ran without an error');
for my $where ([ 'postgres', '' ], [ $other, 'ml.' ])
{
	my ($database, $prefix) = @$where;
	is($node->safe_psql($database, "SELECT string_agg(version, ' ' ORDER BY version_number) FROM ${prefix}modelreg_list()"),
		'0.4.0 0.5.0', "$database: the versions beyond the newest two are gone");
	is($node->safe_psql($database, 'SELECT count(*) FROM modelreg.artifact'), '2', '... and their bytes');
	is($node->safe_psql($database, q{SELECT count(*) FROM modelreg.audit_event WHERE event = 'delete' AND new_values ->> 'cause' = 'cleanup'}),
		'3', '... which the trail says');
	is($node->safe_psql($database, q{SELECT new_values ->> 'versions' FROM modelreg.audit_event WHERE event = 'cleanup'}), '3', '... with a cleanup');
	is($node->safe_psql($database, "SELECT count(*) FROM ${prefix}modelreg_audit_verify() WHERE NOT ok"), '0', '... and verifies');
}

# ---- What modelreg_check says of it ----------------------------------------------------------------

sub check
{
	my ($item, @options) = @_;
	return $node->safe_psql('postgres', "SELECT ok, detail FROM modelreg_check() WHERE item = '$item'", @options);
}
like(check('cleanup job'), qr/^t\|modelreg cleanup of postgres \(\Q$frequent\E\): the last run (succeeded|running|starting)/, 'the check tells of the last run');
like(check('pg_cron'), qr/^t\|installed in this database.*cron\.database_name = postgres, cron\.host = .*cron\.use_background_workers = off/, '... and of the settings');
like(check('pg_cron', extra_params => [ '-U', 'regress_modelreg_writer' ]), qr/^t\|.*its settings are for superusers/, '... but not to everybody');
is(check('cleanup job', extra_params => [ '-U', 'regress_modelreg_writer' ]), 't|not known: the jobs of pg_cron are for those who may read them', '... nor of the jobs');
is($node->safe_psql($other, "SELECT string_agg(ok::text, ' ') FROM ml.modelreg_check() WHERE item IN ('pg_cron', 'cleanup job')"), 'true true', '... nor in another database');
# The server's own jobs go on meanwhile, so it is another job that is made to look so.
$node->safe_psql('postgres', "INSERT INTO cron.job (nodeport, jobid, schedule, command, database, username, jobname) VALUES (5432, 999, '0 3 * * *', 'CALL modelreg_cleanup()', 'postgres', current_user, 'nightly')");
for my $case (
	[ '', qr/^t\|.*nightly \(0 3 \* \* \*\): no run is recorded/, 'not yet' ],
	[ "INSERT INTO cron.job_run_details (jobid, runid, status, return_message) VALUES (999, 999001, 'failed', 'connection failed')", qr/^f\|.*nightly .*: the last run failed: connection failed/, 'failed' ],
	[ "INSERT INTO cron.job_run_details (jobid, runid, status, start_time, end_time) VALUES (999, 999002, 'succeeded', now() - interval '1 hour', now())", qr/^t\|.*nightly .*: the last run succeeded/, 'succeeded again' ],
	[ "UPDATE cron.job_run_details SET start_time = now() - interval '3 days' WHERE runid = 999002", qr/^f\|.*nightly .*: the last run succeeded.*, which is long ago/, 'long ago' ],
	[ "UPDATE cron.job SET schedule = '0 3 * * 0' WHERE jobid = 999", qr/^t\|/, 'not so for a weekly one' ],
	[ "UPDATE cron.job SET active = false WHERE jobid = 999", qr/^f\|.*nightly .*: is not active/, 'not active' ])
{
	my ($statement, $said, $name) = @$case;
	$node->safe_psql('postgres', $statement);
	like(check('cleanup job'), $said, "the last run: $name");
}
$node->safe_psql('postgres', 'DELETE FROM cron.job_run_details WHERE jobid = 999; DELETE FROM cron.job WHERE jobid = 999');

# ---- Unschedule -------------------------------------------------------------------------------

is(sqlstate('postgres', 'SELECT modelreg_unschedule_cleanup()', extra_params => [ '-U', 'regress_modelreg_writer' ]), '42501', 'no writer unschedules');
is($node->safe_psql('postgres', 'SELECT modelreg_unschedule_cleanup()'), 't', 'unscheduled');
is($node->safe_psql('postgres', 'SELECT modelreg_unschedule_cleanup()'), 'f', '... there is none any more');
is($node->safe_psql('postgres', 'SELECT count(*) FROM cron.job WHERE database = current_database()'), '0', '... indeed');
($statement) = hint($other, 'SELECT ml.modelreg_unschedule_cleanup()') =~ /(SELECT .*;)/;
is($node->safe_psql('postgres', $statement), 't', 'the hint of the other database removes its job');
is($node->safe_psql('postgres', 'SELECT count(*) FROM cron.job'), '0', 'no job is left');

# An admin to whom pg_cron's own rights were given; without them pg_cron refuses.
is(sqlstate('postgres', 'SELECT modelreg_schedule_cleanup()', extra_params => [ '-U', 'regress_modelreg_admin' ]), '42501', 'an admin needs the rights of pg_cron');
$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA cron TO regress_modelreg_admin; GRANT EXECUTE ON FUNCTION cron.schedule_in_database TO regress_modelreg_admin');
like($node->safe_psql('postgres', 'SELECT modelreg_schedule_cleanup()', extra_params => [ '-U', 'regress_modelreg_admin' ]), qr/^\d+$/, '... with them it works');

# DROP EXTENSION leaves the job, as documented.
$node->safe_psql('postgres', 'DROP EXTENSION modelreg');
is($node->safe_psql('postgres', 'SELECT username FROM cron.job'), 'regress_modelreg_admin', 'DROP EXTENSION leaves the job');

$node->stop;
done_testing();
