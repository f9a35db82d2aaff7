# Uploads go on after whatever ends a session or the server; sessions take turns;
# calls are cancelled; transactions are prepared; memory stays what it was.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex sha512);
use File::Spec;
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
max_prepared_transactions = 5
max_connections = 20
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION noise(seed text, size int) RETURNS bytea LANGUAGE sql IMMUTABLE
AS $$ SELECT substr(string_agg(sha512(convert_to(seed || ' ' || n, 'UTF8')), ''), 1, size) FROM generate_series(1, (size + 63) / 64) AS n $$;
-- not to be made while a statement_timeout runs
CREATE TABLE big (thread text, data bytea);
INSERT INTO big SELECT thread, noise('big ' || thread, 16000000) FROM unnest(ARRAY['on', 'off']) AS thread;
SQL

# The same bytes, made here.
sub noise
{
	my ($seed, $size) = @_;
	return substr(join('', map { sha512("$seed $_") } 1 .. int(($size + 63) / 64)), 0, $size);
}

# ---- Sessions and statements -------------------------------------------------------

sub session
{
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query_safe('\set VERBOSITY verbose');
	return $session;
}

# Run in a session; returns the error's SQLSTATE and all that was said.
sub error_of
{
	my ($session, $sql) = @_;
	$session->query($sql);
	my $error = $session->{stderr};
	$session->{stderr} = '';
	return ($error =~ /(?:ERROR|FATAL):\s+(\S{5}):/ ? $1 : '', $error);
}

# Send without waiting for the answer.
sub send_only
{
	my ($session, $sql) = @_;
	$session->{stdin} .= "$sql;\n";
	$session->{run}->pump_nb;
	return;
}

sub pid_of { return $_[0]->query_safe('SELECT pg_backend_pid()') }

sub wait_for
{
	my ($query) = @_;
	$node->poll_query_until('postgres', $query) or die "timed out: $query\n";
	return;
}

sub stored_size { return $node->safe_psql('postgres', q{SELECT pg_relation_size('modelreg.chunk_piece')}) }

# A session that runs the statement as soon as 2 MB more are stored.
sub when_writing
{
	my ($statement) = @_;
	my $size = stored_size();
	my $session = session();
	send_only($session, <<"SQL");
DO \$\$ BEGIN
	WHILE pg_relation_size('modelreg.chunk_piece') < $size + 2000000 LOOP
		PERFORM pg_sleep(0.002);
	END LOOP;
	PERFORM $statement;
END \$\$
SQL
	return $session;
}

# ---- An upload, and what was committed of it ---------------------------------------

sub begin { return $node->safe_psql('postgres', 'SELECT modelreg_upload_begin()') }

sub held { return $node->safe_psql('postgres', "SELECT bytes_held FROM modelreg_upload_status('$_[0]')") }

sub append_sql
{
	my ($id, $seed, $size, $offset) = @_;
	return "SELECT modelreg_upload_append('$id', noise('$seed', $size)" . (defined $offset ? ", $offset" : '') . ')';
}

# Register, by whoever, and compare with the bytes as they were made here.
sub registered
{
	my ($what, $id, $bytes, $session) = @_;
	my $sql = "SELECT checksum, artifact_size FROM modelreg_register_upload('$id', 'uploaded', performance_metrics => '{\"auc\": 1}')";
	is($session ? $session->query_safe($sql) : $node->safe_psql('postgres', $sql),
		sha256_hex($bytes) . '|' . length($bytes), "$what: registered with the right SHA-256");
	is(ModelregTest::problems($node, 'postgres'), '', "$what: sound");
	return;
}

# ---- Calamities -----------------------------------------------------------------------

# One upload goes through all of them.  Each time a part is committed, and another
# is lost with its session.
my $id = begin();
my $bytes = '';

# name, what happens to session and backend, whether the append is still running
my @calamities = (
	[ 'client killed', sub { $_[0]->{run}->signal('KILL') } ],
	[ 'backend terminated', sub { $node->safe_psql('postgres', "SELECT pg_terminate_backend($_[1])") } ],
	[ 'backend killed', sub { kill 'KILL', $_[1]; usleep(100_000) until !kill 0, $_[1] } ],
	[ 'immediate shutdown', sub { $node->stop('immediate') } ],
	[ 'clean restart', sub { $node->stop('fast') } ]);
my $n = 0;
for my $calamity (@calamities)
{
	my ($what, $strike) = @$calamity;
	$n++;
	my $session = session();
	my $pid = pid_of($session);
	is($session->query_safe(append_sql($id, "part $n", 300_000)), length($bytes) + 300_000, "$what: a part is committed");
	$bytes .= noise("part $n", 300_000);
	$session->query_safe('BEGIN');
	is($session->query_safe(append_sql($id, "lost $n", 1_000_000)), length($bytes) + 1_000_000, "$what: another is not");

	$strike->($session, $pid);
	# before a server is started that would inherit its pipes
	eval { $session->{run}->finish };
	$node->start if $what =~ /shutdown|restart/;
	wait_for("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
	is(held($id), length($bytes), "$what: what was committed is held, the other is gone");

	# from what the status says, by another session
	is($node->safe_psql('postgres', append_sql($id, "after $n", 70_000, held($id))), length($bytes) + 70_000, "$what: goes on");
	$bytes .= noise("after $n", 70_000);
}
registered('after calamities', $id, $bytes);

# The same in the middle of an append.
for my $thread ('on', 'off')
{
	for my $how ('terminated', 'killed')
	{
		my $what = "$how in an append, hash_in_thread $thread";
		$id = begin();
		my $session = session();
		my $pid = pid_of($session);
		$session->query_safe("SET modelreg.hash_in_thread = $thread");
		$session->query_safe(append_sql($id, 'before', 300_000));
		my $size = stored_size();
		if ($how eq 'terminated')
		{
			my $killer = when_writing("pg_terminate_backend($pid)");
			send_only($session, "SELECT modelreg_upload_append('$id', data) FROM big WHERE thread = '$thread'");
			eval { $session->{run}->finish };
			$killer->quit;
		}
		else
		{
			my $watcher = when_writing('1');
			send_only($session, "SELECT modelreg_upload_append('$id', data || noise('$how $thread', 32000000)) FROM big WHERE thread = '$thread'");
			$watcher->query_safe('SELECT 1');
			kill 'KILL', $pid;
			usleep(100_000) until !kill 0, $pid;
			eval { $_->{run}->finish } for $session, $watcher;
		}
		wait_for("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
		cmp_ok(stored_size(), '<', $size + ($how eq 'killed' ? 48_000_000 : 16_000_000), "$what: it had not written everything");
		is(held($id), 300_000, "$what: held is what it was");
		$node->safe_psql('postgres', append_sql($id, 'after', 300_000, 300_000));
		registered($what, $id, noise('before', 300_000) . noise('after', 300_000));
	}
}

# ---- Sessions in turns -------------------------------------------------------------------

# Each remembers the upload as it left it.
$id = begin();
$bytes = '';
my @session = (session(), session(), session());
for my $turn (0, 1, 0, 0, 2, 1, 0)
{
	my $seed = 'turn ' . length $bytes;
	is($session[$turn]->query_safe(append_sql($id, $seed, 123_456, length $bytes)), length($bytes) + 123_456, "session $turn goes on");
	$bytes .= noise($seed, 123_456);
}
registered('turns', $id, $bytes, $session[1]);
is((error_of($session[0], append_sql($id, 'late', 1)))[0], '42704', '... after which the others find no upload');

# At once: the second waits, and then is not where it thought it was.
$id = begin();
$session[0]->query_safe('BEGIN');
$session[0]->query_safe(append_sql($id, 'first', 200_000, 0));
my $pid = pid_of($session[1]);
send_only($session[1], append_sql($id, 'second', 200_000, 0));
wait_for("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid");
is(held($id), 0, 'nothing is held yet');
$session[0]->query_safe('COMMIT');
my ($sqlstate, $error) = error_of($session[1], 'SELECT 1');
is($sqlstate, '22023', 'a byte_offset that is out of date is refused');
like($error, qr/^HINT:  Go on with byte_offset 200000\.$/m, '... with the right one as hint');
is($session[1]->query_safe(append_sql($id, 'second', 200_000, 200_000)), 400_000, '... with which it goes on');

# Under a transaction snapshot it is a failure to be tried again.
$session[0]->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$session[1]->query_safe(append_sql($id, 'third', 200_000));
is((error_of($session[0], append_sql($id, 'third', 200_000)))[0], '40001', 'REPEATABLE READ: another session went on meanwhile');
$session[0]->query_safe('ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ');
$session[0]->query_safe(append_sql($id, 'fourth', 200_000, 600_000));
$session[0]->query_safe('COMMIT');
registered('at once', $id, join('', map { noise($_, 200_000) } qw(first second third fourth)), $session[0]);

# ---- Cancelled appends -------------------------------------------------------------------

for my $thread ('on', 'off')
{
	my $session = session();
	my $pid = pid_of($session);
	$id = begin();
	$session->query_safe("SET modelreg.hash_in_thread = $thread");
	$session->query_safe(append_sql($id, 'before', 300_000));
	my $append = "SELECT modelreg_upload_append('$id', data) FROM big WHERE thread = '$thread'";

	my $size = stored_size();
	my $canceller = when_writing("pg_cancel_backend($pid)");
	is((error_of($session, $append))[0], '57014', "hash_in_thread $thread: an append is cancelled");
	$canceller->quit;
	cmp_ok(stored_size() - $size, '<', 16_000_000, '... before it had written everything');
	is(held($id), 300_000, '... and nothing of it is held');

	# Long enough for it to begin to write, which the table tells.
	my ($timeout, $state) = (5, '');
	for (; $timeout < 5000; $timeout *= 1.2)
	{
		$size = stored_size();
		($state) = error_of($session, "SET statement_timeout = '" . int($timeout) . "ms'; $append");
		last if $state eq '' || stored_size() > $size;
	}
	is($state, '57014', "hash_in_thread $thread: an append runs into statement_timeout after it has begun to write");
	$session->query_safe('RESET statement_timeout');
	is(held($id), 300_000, '... and nothing of it is held');

	# In a subtransaction, after which the transaction goes on.
	$session->query_safe('BEGIN');
	$session->query_safe(append_sql($id, 'kept', 300_000));
	$session->query_safe('SAVEPOINT s');
	$canceller = when_writing("pg_cancel_backend($pid)");
	is((error_of($session, $append))[0], '57014', "hash_in_thread $thread: cancelled in a subtransaction");
	$canceller->quit;
	is($session->query_safe("ROLLBACK TO s; SELECT bytes_held FROM modelreg_upload_status('$id')"), 600_000, '... and what was before it is held');

	is($session->query_safe($append), 16_600_000, '... and the append succeeds in the end');
	$session->query_safe('COMMIT');
	registered("cancelled, hash_in_thread $thread", $id, noise('before', 300_000) . noise('kept', 300_000) . noise("big $thread", 16_000_000), $session);
	$session->quit;
}

# ---- Prepared transactions -------------------------------------------------------------

# Begun and appended to in one; the session that did it must not trust its memory.
for my $end ('COMMIT', 'ROLLBACK')
{
	$id = begin();
	$session[0]->query_safe(append_sql($id, 'base', 200_000));
	$session[0]->query_safe('BEGIN');
	$session[0]->query_safe(append_sql($id, 'prepared', 200_000));
	$session[0]->query_safe("PREPARE TRANSACTION 'upload'");
	is(held($id), 200_000, "$end PREPARED: nothing is held while it is prepared");
	is((error_of($session[0], "SET lock_timeout = '100ms'; " . append_sql($id, 'x', 1)))[0], '55P03', '... and nobody goes on');
	$session[0]->query_safe('RESET lock_timeout');
	$session[1]->query_safe("$end PREPARED 'upload'");
	$bytes = noise('base', 200_000) . ($end eq 'COMMIT' ? noise('prepared', 200_000) : '');
	is(held($id), length $bytes, "... then what it says");
	for my $turn (0, 1)
	{
		is($session[$turn]->query_safe(append_sql($id, "turn $turn", 100_000, length $bytes)), length($bytes) + 100_000, "... session $turn goes on");
		$bytes .= noise("turn $turn", 100_000);
	}
	registered("$end PREPARED", $id, $bytes, $session[0]);
}
$id = $session[0]->query_safe('BEGIN; SELECT modelreg_upload_begin()');
$session[0]->query_safe(append_sql($id, 'all', 200_000));
$session[0]->query_safe("PREPARE TRANSACTION 'upload'");
is((error_of($session[0], append_sql($id, 'x', 1)))[0], '42704', 'an upload that was begun in a prepared transaction is not there');
# over a crash
$_->quit for @session;
$node->stop('immediate');
$node->start;
$node->safe_psql('postgres', "COMMIT PREPARED 'upload'");
is($node->safe_psql('postgres', append_sql($id, 'more', 100)), 200_100, '... until it is committed, after a crash');
registered('begun and prepared', $id, noise('all', 200_000) . noise('more', 100));

# ---- synchronous_commit = off -------------------------------------------------------------

# Appends may be lost, as the session wanted; what is held is right all the same,
# and a registration that was acknowledged is there with all its bytes.
$id = begin();
$node->safe_psql('postgres', join(";\n", 'SET synchronous_commit = off', map { append_sql($id, "async $_", 100_000) } 1 .. 5));
$node->stop('immediate');
$node->start;
my $held = held($id);
is($held % 100_000, 0, "synchronous_commit = off: whole appends are held ($held bytes)");
$node->safe_psql('postgres', join(";\n", 'SET synchronous_commit = off',
	(map { append_sql($id, "async $_", 100_000, 100_000 * ($_ - 1)) } $held / 100_000 + 1 .. 8),
	"SELECT modelreg_register_upload('$id', 'async', performance_metrics => '{\"auc\": 1}')"));
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', q{SELECT checksum, encode(sha256(modelreg_load(model_id)), 'hex') = checksum FROM modelreg_find_latest('async')}),
	sha256_hex(join('', map { noise("async $_", 100_000) } 1 .. 8)) . '|t', 'synchronous_commit = off: the registration survives');
is(ModelregTest::problems($node, 'postgres'), '', 'synchronous_commit = off: sound');

# ---- Memory ------------------------------------------------------------------------------

SKIP:
{
	my $session = session();
	my $pid = pid_of($session);
	skip 'the system does not tell how much memory a process has of its own', 1
	  unless defined anonymous_kb($pid);

	# Run, and look now and then: the most that the backend had of its own, in MB
	# above idle.
	my $idle = anonymous_kb($pid);
	my $measure = sub {
		my ($sql) = @_;
		my $most = 0;
		my $looks = 0;
		send_only($session, $sql);
		$session->{stdin} .= "\\echo DONE\n";
		until ($session->{stdout} =~ /^DONE$/m || $session->{timeout}->is_expired)
		{
			my $kb = anonymous_kb($pid) // 0;
			$most = $kb if $kb > $most;
			$looks++;
			usleep(5_000);
			$session->{run}->pump_nb;
		}
		die "psql failed: $session->{stderr}" if $session->{stderr} ne '';
		my ($result) = $session->{stdout} =~ /^(.*?)\s*^DONE$/ms;
		$session->{stdout} = '';
		note("looked $looks times");
		return ($result, ($most - $idle) / 1024);
	};

	# A part has 60 kB that are nowhere else, and shares the rest, or this would
	# take 450 MB of disk.
	$node->safe_psql('postgres', q{CREATE TABLE base (data bytea); INSERT INTO base VALUES (noise('base', 1048576 - 60000))});
	my $part = q{overlay(data PLACING noise('part ' || n, 60000) FROM 1 + n % 700000 FOR 0)};
	$id = begin();
	my ($result, $most) = $measure->("SELECT max(modelreg_upload_append('$id', $part)) FROM base, generate_series(1, 300) AS n");
	is($result, 300 * 1048576, '300 appends in a transaction');
	cmp_ok($most, '<', 32, sprintf('... take %d MB of memory', $most));
	(undef, $most) = $measure->(<<"SQL");
SET modelreg.compression = zstd;
DO \$\$ BEGIN FOR n IN 301 .. 450 LOOP PERFORM modelreg_upload_append('$id', $part) FROM base; COMMIT; END LOOP; END \$\$;
SQL
	is(held($id), 450 * 1048576, '150 appends more, in as many transactions');
	cmp_ok($most, '<', 32, sprintf('... take %d MB of memory', $most));
	($result, $most) = $measure->("SELECT artifact_size FROM modelreg_register_upload('$id', 'large', performance_metrics => '{\"auc\": 1}')");
	is($result, 450 * 1048576, 'a registration');
	cmp_ok($most, '<', 32, sprintf('... takes %d MB of memory', $most));
	my $null = File::Spec->devnull;
	($result, $most) = $measure->("\\copy (SELECT modelreg_download(model_id) FROM modelreg_find_latest('large')) TO '$null' (FORMAT binary)\n\\echo :ROW_COUNT\nSELECT");
	is($result, '450', 'a download by COPY');
	cmp_ok($most, '<', 32, sprintf('... takes %d MB of memory', $most));
	$session->quit;
}

sub anonymous_kb
{
	my ($pid) = @_;
	open(my $status, '<', "/proc/$pid/status") or return;
	while (my $line = <$status>)
	{
		return $1 if $line =~ /^RssAnon:\s+(\d+) kB/;
	}
	return;
}

$node->stop;
done_testing();
