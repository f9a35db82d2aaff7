# A backend that is killed, a server that stops at once, and sessions that do
# not wait for their commits: nothing is half-done, nothing acknowledged is lost.
use strict;
use warnings;

use ModelregTest;
use Test::More;
use Time::HiRes qw(usleep);

# The WAL writer sleeps, so that nothing reaches the disk that a commit did not
# bring there itself.
my $node = ModelregTest::node('main', conf => <<'CONF');
restart_after_crash = on
wal_writer_delay = 10s
autovacuum = off
log_statement = none
CONF

my $register = q{SELECT version_number FROM modelreg_register(%s, 'crash', performance_metrics => '{"f1_score": 1}')};
sub big { return ModelregTest::noise($_[0], 16_000_000) }

$node->safe_psql('postgres', sprintf($register, q{'first'}));
$node->safe_psql('postgres', q{SELECT modelreg_register('other', 'other', performance_metrics => '{"f1_score": 1}')});
my $before = ModelregTest::fingerprint($node, 'postgres');

# Nothing but dead rows is left, and the next number is the next.
my $number = 1;

sub nothing_happened
{
	my ($what) = @_;
	is(ModelregTest::fingerprint($node, 'postgres'), $before, "$what: nothing is half-done");
	is(ModelregTest::problems($node, 'postgres'), '', "$what: sound");
	is($node->safe_psql('postgres', sprintf($register, "'after $what'")), ++$number, "$what: the next number");
	$before = ModelregTest::fingerprint($node, 'postgres');
	return;
}

sub crash
{
	$node->stop('immediate');
	$node->start;
	return;
}

sub wait_for
{
	my ($query) = @_;
	$node->poll_query_until('postgres', $query) or die "timed out: $query\n";
	return;
}

# ---- In the middle of a registration ------------------------------------------------

# One that has written its bytes and waits for the model, one in an open
# transaction, and one that is writing: all backends killed by turns.
for my $how ('kill -9', 'immediate stop')
{
	my $holder = $node->background_psql('postgres', on_error_stop => 0);
	$holder->query_safe("BEGIN; " . sprintf($register, big("holder $how")));
	my $waiter = $node->background_psql('postgres', on_error_stop => 0);
	$waiter->{stdin} .= sprintf($register, big("waiter $how")) . ";\n";
	$waiter->{run}->pump_nb;
	wait_for(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%modelreg_register%' AND pid <> pg_backend_pid()});
	cmp_ok($node->safe_psql('postgres', q{SELECT pg_relation_size('modelreg.chunk_piece')}), '>', 32_000_000,
		"$how: the bytes of both have been written");

	if ($how eq 'kill -9')
	{
		my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%modelreg_register%'});
		kill 'KILL', $pid;
		# all sessions end, the server recovers
		usleep(100_000) until !kill 0, $pid;
		wait_for('SELECT true');
	}
	else
	{
		$node->stop('immediate');
	}
	# before a server is started that would inherit their pipes
	eval { $_->{run}->finish } for $holder, $waiter;
	$node->start unless $how eq 'kill -9';
	nothing_happened($how);
}

# While the rows are being written.
my $writer = $node->background_psql('postgres', on_error_stop => 0);
my $size = $node->safe_psql('postgres', q{SELECT pg_relation_size('modelreg.chunk_piece')});
my $pid = $writer->query_safe('SELECT pg_backend_pid()');
$writer->{stdin} .= sprintf($register, ModelregTest::noise('writer', 160_000_000)) . ";\n";
$writer->{run}->pump_nb;
wait_for("SELECT pg_relation_size('modelreg.chunk_piece') > $size + 4000000");
kill 'KILL', $pid;
usleep(100_000) until !kill 0, $pid;
wait_for('SELECT true');
eval { $writer->{run}->finish };
cmp_ok($node->safe_psql('postgres', q{SELECT pg_relation_size('modelreg.chunk_piece')}), '<', $size + 160_000_000,
	'the writer was killed before it had finished');
nothing_happened('kill -9 while writing');

# ---- synchronous_commit = off ----------------------------------------------------------

# What a session was told is committed is there after a crash.  An ordinary table
# shows that the server would have lost it otherwise.
$node->safe_psql('postgres', 'CREATE TABLE ordinary (n int)');

sub acknowledged
{
	my ($what, $count, $statement, $survivors) = @_;
	my $sql = "SET synchronous_commit = off;\n";
	$sql .= "$statement;\n" =~ s/\bNUMBER\b/$_/gr for 1 .. $count;
	$node->safe_psql('postgres', $sql);
	crash();
	is($node->safe_psql('postgres', $survivors), $count, "$what: all $count survive");
	is(ModelregTest::problems($node, 'postgres'), '', "$what: sound");
	return;
}

my $version = q{(SELECT model_id FROM modelreg.model_version WHERE model_name = 'async' AND version_number = NUMBER)};
acknowledged('registrations', 20,
	q{SELECT modelreg_register('async NUMBER', 'async', performance_metrics => '{"f1_score": 1}')},
	q{SELECT count(*) FROM modelreg_list(model_name => 'async')});
acknowledged('stage moves', 20,
	qq{SELECT modelreg_update_stage($version, 'staging')},
	q{SELECT count(*) FROM modelreg_list(model_name => 'async', deployment_stage => 'staging')});
acknowledged('plain SQL', 20,
	q{UPDATE modelreg.model_version SET notes = 'raw' WHERE model_name = 'async' AND version_number = NUMBER},
	q{SELECT count(*) FROM modelreg_list(model_name => 'async') WHERE notes = 'raw'});
acknowledged('rules', 4,
	q{SELECT modelreg_set_stage_rule((enum_range(NULL::modelreg.deployment_stage))[NUMBER]::text, 'archived', false)},
	q{SELECT count(*) FROM modelreg.stage_rule});
acknowledged('new models', 3,
	q{SELECT modelreg_create_model('async NUMBER')},
	q{SELECT count(*) FROM modelreg.model WHERE model_name LIKE 'async %'});
acknowledged('renames', 3,
	q{SELECT modelreg_rename_model('async NUMBER', 'renamed NUMBER')},
	q{SELECT count(*) FROM modelreg.model WHERE model_name LIKE 'renamed %'});
acknowledged('deletions', 5,
	qq{SELECT modelreg_delete($version)},
	q{SELECT 20 - count(*) FROM modelreg_list(model_name => 'async')});
acknowledged('plain deletions', 5,
	q{DELETE FROM modelreg.model_version WHERE model_name = 'async' AND version_number = 5 + NUMBER},
	q{SELECT 15 - count(*) FROM modelreg_list(model_name => 'async')});

# The WAL writer may wake up just then; not three times.
my $lost = 0;
for my $try (1 .. 3)
{
	$node->safe_psql('postgres', 'TRUNCATE ordinary');
	$node->safe_psql('postgres', "SET synchronous_commit = off;\n" . "INSERT INTO ordinary VALUES (1);\n" x 20);
	crash();
	$lost = 20 - $node->safe_psql('postgres', 'SELECT count(*) FROM ordinary');
	last if $lost;
}
cmp_ok($lost, '>', 0, 'an ordinary table loses commits that were acknowledged');

$node->stop;
done_testing();
