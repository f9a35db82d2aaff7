# Cancelled and timed-out calls change nothing and leave the session as it was.
use strict;
use warnings;

use ModelregTest;
use Test::More;

my $node = ModelregTest::node('main', conf => "autovacuum = off\nlog_statement = none\n");
$node->safe_psql('postgres', 'CREATE ROLE regress_modelreg_writer IN ROLE modelreg_writer');
# five times 8 MB to read
$node->safe_psql('postgres', sprintf(q{SELECT modelreg_register(%s, 'm', performance_metrics => '{"auc": 1}')}, ModelregTest::noise($_, 8_000_000)))
  for 1 .. 5;
my $id = $node->safe_psql('postgres', 'SELECT model_id FROM modelreg_find_latest()');

# The bytes are checked by modelreg_verify.
sub tables
{
	return ModelregTest::fingerprint($node, 'postgres', 'chunk_piece');
}

my $before = tables();
my $numbers = 5;

my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe('\set VERBOSITY verbose');

# Run in the one session; returns the error.
sub error_of
{
	my ($sql) = @_;
	$session->query($sql);
	my $error = $session->{stderr};
	$session->{stderr} = '';
	return $error =~ /^(?:psql:.*?: )?ERROR:\s+(\S{5})/m ? $1 : '';
}

# The session works as it did: rights, actor, search_path and reason are its own.
sub usable
{
	my ($what) = @_;
	is(tables(), $before, "$what: nothing changed");
	is($session->query_safe(q{SELECT current_user = session_user, current_setting('search_path'), current_setting('modelreg.reason')}),
		't|"$user", public|', "$what: the session is as it was");
	is($session->query_safe(q{SELECT length(modelreg_load(model_id)) FROM modelreg_find_latest()}), '8000000', "$what: it loads");
	$session->query_safe(qq{UPDATE modelreg.model_version SET notes = '$what' WHERE model_id = '$id'});
	is($session->query_safe(qq{SELECT actor = session_user, reason FROM modelreg.audit_event WHERE model_id = '$id' ORDER BY seq DESC LIMIT 1}),
		't|', "$what: it acts in its own name");
	is($session->query_safe(q{SELECT version_number FROM modelreg_register('small', 'm', performance_metrics => '{"auc": 1}')}),
		++$numbers, "$what: it registers, with the next number");
	$session->query_safe(q{SELECT modelreg_delete(model_id) FROM modelreg_find_latest('m')});
	is(ModelregTest::problems($node, 'postgres'), '', "$what: sound");
	$before = tables();
	return;
}

# ---- Registration, cancelled while it writes ------------------------------------------------

my $register = sprintf(q{SELECT modelreg_register(%s, 'm', performance_metrics => '{"auc": 1}')}, ModelregTest::noise('big', 80_000_000));
my $pid = $session->query_safe('SELECT pg_backend_pid()');

# Cancel the session once it has written some of the 80 MB.
sub cancelled
{
	my ($sql) = @_;
	my $size = $node->safe_psql('postgres', q{SELECT pg_relation_size('modelreg.chunk_piece')});
	my $canceller = $node->background_psql('postgres');
	$canceller->{stdin} .= <<"SQL";
DO \$\$
BEGIN
	WHILE pg_relation_size('modelreg.chunk_piece') < $size + 2000000 LOOP
		PERFORM pg_sleep(0.005);
	END LOOP;
	PERFORM pg_cancel_backend($pid);
END \$\$;
SQL
	$canceller->{run}->pump_nb;
	my $error = error_of($sql);
	$canceller->quit;
	cmp_ok($node->safe_psql('postgres', q{SELECT pg_relation_size('modelreg.chunk_piece')}), '<', $size + 80_000_000,
		'... before it had written everything');
	return $error;
}

is(cancelled($register), '57014', 'a registration is cancelled');
usable('register');

is(cancelled("SET ROLE regress_modelreg_writer; $register"), '57014', 'a registration by another role is cancelled');
$session->query('RESET ROLE');
usable('register as another role');

# In a subtransaction, after which the transaction goes on.
is(cancelled(qq{DO \$do\$ BEGIN PERFORM modelreg_create_model('kept'); BEGIN PERFORM ($register); EXCEPTION WHEN query_canceled THEN NULL; END; PERFORM modelreg_delete_model('kept'); END \$do\$}),
	'', 'a registration is cancelled, and the error caught');
is($session->query_safe(q{SELECT count(*) FROM modelreg.audit_event WHERE model_name = 'kept'}), '2', '... what was before and after it is done');
isnt(tables(), $before, '... and recorded');
$before = tables();
usable('register in a subtransaction');

# ---- Timeouts -----------------------------------------------------------------------------------

# Again and again, so that it is the function that is interrupted.
for my $call (
	[ 'load', qq{PERFORM modelreg_load('$id')} ],
	[ 'load_latest', q{PERFORM artifact FROM modelreg_load_latest('m')} ],
	[ 'download', qq{PERFORM modelreg_download('$id')} ],
	[ 'download of a range', qq{PERFORM modelreg_download('$id', 1, 7000000, 8096)} ],
	[ 'verify', q{PERFORM count(*) FROM modelreg_verify()} ],
	[ 'scrub', q{PERFORM * FROM modelreg_scrub()} ],
	[ 'audit_verify', q{PERFORM count(*) FROM modelreg_audit_verify()} ],
	[ 'compare', q{PERFORM count(*) FROM modelreg_compare(ARRAY(SELECT model_id FROM modelreg_list()))} ],
	[ 'edit', qq{PERFORM modelreg_update('$id', notes => clock_timestamp()::text)} ])
{
	my ($what, $sql) = @$call;
	is(error_of("SET statement_timeout = '200ms'; DO \$\$ BEGIN LOOP $sql; END LOOP; END \$\$"), '57014', "$what: statement_timeout");
	$session->query('SET statement_timeout = 0');
	usable($what);
}

# One verification alone takes long enough to be met in its middle.
is(error_of(q{SET statement_timeout = '20ms'; SELECT count(*) FROM modelreg_verify()}), '57014', 'verify: in the middle of the first');
$session->query('SET statement_timeout = 0');
usable('verify once');

# A lock that does not come.
my $holder = $node->background_psql('postgres');
$holder->query_safe(q{BEGIN; SELECT modelreg_update_model('m', description => 'held')});
is(error_of(q{SET lock_timeout = '100ms'; SELECT modelreg_register('waits', 'm', performance_metrics => '{"auc": 1}')}), '55P03', 'register: lock_timeout');
is(error_of(qq{SELECT modelreg_update_stage('$id', 'staging')}), '55P03', 'update_stage: lock_timeout');
is(error_of(q{CALL modelreg_cleanup()}), '', 'cleanup does not wait, but passes over the model');
$before = tables();    # it may have removed what was left of the bytes
$session->query('SET lock_timeout = 0');
$holder->query_safe('ROLLBACK');
$holder->quit;
usable('lock_timeout');

$session->quit;
$node->stop;
done_testing();
