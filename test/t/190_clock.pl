# A clock that was ahead: three years for a moment, then an hour.  The server's
# clock is a real one with an offset, which a small library puts in front of
# gettimeofday.
use strict;
use warnings;

use ModelregTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir();
append_to_file("$dir/clock.c", <<'C');
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int
gettimeofday(struct timeval *tv, void *tz)
{
	static volatile long *ahead = NULL;
	struct timespec now;

	if (ahead == NULL)
	{
		int			file = open(getenv("CLOCK_AHEAD"), O_RDONLY);

		ahead = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
		close(file);
	}
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	tv->tv_sec = now.tv_sec + *ahead;
	tv->tv_usec = now.tv_nsec / 1000;
	return 0;
}
C
is(system('cc', '-shared', '-fPIC', '-o', "$dir/clock.so", "$dir/clock.c"), 0, 'a clock with an offset');

my $clock = "$dir/ahead";
# The file is mapped, so it is written in place.
sub clock_ahead
{
	my ($seconds) = @_;
	open(my $file, -e $clock ? '+<' : '>', $clock) or die "$clock: $!";
	binmode $file;
	print $file pack('q', $seconds);
	close $file;
}
clock_ahead(0);

my $node = ModelregTest::node('main', start => 0, conf => "autovacuum = off\n");
{
	local $ENV{LD_PRELOAD} = "$dir/clock.so";
	local $ENV{CLOCK_AHEAD} = $clock;
	$node->start;
}
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub sqlstate { return ModelregTest::sqlstate($node, 'postgres', $_[0]); }
sub register
{
	my ($model, $stage) = @_;
	return sql(qq{SELECT model_id FROM modelreg_register(convert_to(gen_random_uuid()::text, 'UTF8'), 'type', model_name => '$model', performance_metrics => '{"f1": 1}', deployment_stage => '$stage')});
}
sql('CREATE EXTENSION modelreg');
my $years = 3 * 365 * 86400;
my $year = 1900 + (gmtime(time + $years))[5];

# What must hold at any time
sub holds
{
	my ($when) = @_;
	my @problems = grep { !/^times: / } split /\n/, ModelregTest::problems($node, 'postgres');
	is(join("\n", @problems), '', "$when: everything verifies");
	is(sql(<<'SQL'), '', "$when: a model's list is in the order of its numbers");
SELECT o.model_id
FROM modelreg.model AS m
CROSS JOIN LATERAL (
	SELECT l.model_id, l.version_number, lead(l.version_number) OVER (ORDER BY l.n) AS next
	FROM (SELECT r.*, row_number() OVER () AS n FROM modelreg_list(model_name => m.model_name) AS r) AS l
) AS o WHERE o.next >= o.version_number
SQL
	is(sql(<<'SQL'), '', "$when: the history goes by the number in each chain");
SELECT model_key FROM (
	SELECT model_key, seq, lag(seq) OVER (PARTITION BY model_key ORDER BY n) AS before
	FROM (SELECT model_key, seq, row_number() OVER () AS n FROM modelreg_history()) AS h
) AS o WHERE before >= seq
SQL
	is(sql('SELECT model_id FROM modelreg.stage_history WHERE left_at < entered_at'), '', "$when: nothing left before it came");
}

# ---- The clock is ahead, and set back ---------------------------------------------

my $a1 = register('a', 'production');
my $before = sql('SELECT clock_timestamp()');
sql('SELECT pg_sleep(0.01)');
clock_ahead($years);
my $a2 = register('a', 'production');
my $b1 = register('b', 'staging');
my $b2 = register('b', 'staging');
my $gone1 = register('gone', 'development');
sql("SELECT modelreg_set_stage_rule('archived', 'staging', false)");
sql('SELECT FROM modelreg_scrub()');
clock_ahead(0);
like($_, qr/_$year\d{4}_/, "$_ was registered in the future") for $a2, $b1, $b2, $gone1;
holds('the clock is right again');
is(sql("SELECT artifacts FROM modelreg_scrub()"), '5', 'a scrub does not wait for the future');
sql("SELECT modelreg_set_stage_rule('archived', 'staging', true)");

is(sql(q{SELECT model_id FROM modelreg_at(now(), 'a') WHERE deployment_stage = 'production'}), $a2, 'what is to come counts as now');
is(sql(q{SELECT count(*) FROM modelreg_at(now())}), '5', '... in all models');
is(sql("SELECT model_id FROM modelreg_at('$before')"), $a1, '... not as earlier');
is(sql(q{SELECT model_id FROM modelreg_find_latest(model_name => 'a')}), $a2, 'the newest of a model is that of the highest number');
my $check = sql(q{SELECT ok, detail FROM modelreg_check() WHERE item = 'times'});
like($check, qr/^f\|.*\Q$_\E.*modelreg_correct_time/, "modelreg_check tells of $_") for $a2, $b1, $b2, $gone1;
like($check, qr/the last event of model a is of $year/, '... and of the chain');

# ---- What goes on -------------------------------------------------------------------

my $a3 = register('a', 'canary');
is($a3, "${a2}_2", 'ids keep the highest second issued');
is(sql(qq{SELECT version_number, registered_at BETWEEN '$before' AND clock_timestamp() FROM modelreg_info('$a3')}), '3|t', 'registered_at is the clock');
like(sql(qq{SELECT registered_at FROM modelreg_info('$a2')}), qr/^$year/, '... and no other time is touched');
is(sql(q{SELECT model_id FROM modelreg_find_latest(model_name => 'a')}), $a3, 'the newest of a model does not go by the clock');
is(sql(q{SELECT model_id FROM modelreg_list('type', max_rows => 4)}) =~ /\A\Q$gone1\E\n/ ? 't' : 'f', 't', 'a list over several models takes what is of the future for the newest');
is(sqlstate(qq{SELECT modelreg_correct_time('$a2', clock_timestamp())}), '22023', 'a time behind that of the next version is no correction');
is(sql(qq{SELECT a2.registered_at = a3.registered_at - interval '1 us' AND a2.created_at = a2.registered_at FROM modelreg_info('$a3') AS a3, modelreg_correct_time('$a2', a3.registered_at - interval '1 us') AS a2}),
	't', 'what the next version proves wrong is corrected');
is(sql(q{SELECT event, model_id, old_values ->> 'registered_at' LIKE '} . $year . q{%' FROM modelreg_history('a') ORDER BY seq DESC LIMIT 1}), "correct_time|$a2|t", '... with an event');
is(sql(q{SELECT string_agg(event, ' ' ORDER BY seq) FROM modelreg_history('a')}), 'model_create register stage register register correct_time', 'the chain');
is(sql("SELECT string_agg(event, ' ' ORDER BY seq) FROM modelreg_history('a', since => '$before')"), 'stage register register correct_time', 'since an instant before');
my $after = sql('SELECT clock_timestamp()');
is(sql("SELECT count(*) FROM modelreg_history('a', since => '$after')"), '0', '... since one after all that happened');
is(sql("SELECT count(*) FROM modelreg_history(since => '$after')"), '5', '... of all models: what still counts as now');
is(sql("SELECT count(*) FROM modelreg_history(model_id => '$a2', since => '$after')"), '0', '... of one version');
is(sql("SELECT model_id FROM modelreg_at('$after', 'a') WHERE deployment_stage = 'production'"), $a2, 'modelreg_at goes by the least time of what follows');
holds('registered again');

# ---- The repair ---------------------------------------------------------------------

sql('CREATE ROLE regress_modelreg_writer LOGIN IN ROLE modelreg_writer');
is(sqlstate(qq{SET ROLE modelreg_writer; SELECT modelreg_correct_time('$b2', '$after')}), '42501', 'not for writers');
is(sqlstate(qq{SELECT modelreg_correct_time('$a1', '$before')}), '55000', 'only what is in the future is corrected');
is(sqlstate(qq{SELECT modelreg_correct_time('$b2', now() + interval '1 hour')}), '22023', 'not to a time in the future');
is(sqlstate(qq{SELECT modelreg_correct_time('$b2', $_)}), '22023', "not to $_") for q{'infinity'}, q{'-infinity'}, 'NULL', q{'0044-03-15 BC'};
is(sqlstate(qq{UPDATE modelreg.model_version SET registered_at = registered_at + interval '1 s' WHERE model_id = '$b2'}), '22023', 'by plain SQL not up');
is(sqlstate(qq{UPDATE modelreg.model_version SET registered_at = now() + interval '1 s' WHERE model_id = '$b2'}), '22023', '... nor to a time to come');
is(sqlstate(qq{UPDATE modelreg.model_version SET registered_at = now() WHERE model_id = '$a1'}), '55000', '... nor what is right');
is(sqlstate(qq{UPDATE modelreg.model_version SET registered_at = '$after', created_at = '$before' WHERE model_id = '$b2'}), '42501', '... created_at only with it');
is(sql(qq{SELECT registered_at = '$after' AND created_at = '$after' FROM modelreg_correct_time('$b2', '$after', 'the clock was ahead')}), 't', 'the repair');
is(sql(qq{SELECT registered_at = timestamptz '$after' - interval '1 us' FROM modelreg_info('$b1')}), 't', '... lowers earlier versions as well');
is(sql(q{SELECT string_agg(event || ' ' || reason, ', ' ORDER BY seq) FROM modelreg_history('b') WHERE event = 'correct_time'}),
	'correct_time the clock was ahead, correct_time the clock was ahead', '... with an event each');
is(sqlstate(qq{SELECT modelreg_correct_time('$b1', '$before')}), '55000', '... once');
is(sql(q{SELECT string_agg(version_number::text, ' ' ORDER BY n) FROM (SELECT r.*, row_number() OVER () AS n FROM modelreg_list('type') AS r) AS l WHERE model_name = 'a'}),
	'3 2 1', '... and lists over several models are in the order of what was registered');
unlike(sql(q{SELECT detail FROM modelreg_check() WHERE item = 'times'}), qr/\b[ab]_/, '... and modelreg_check is content with it');
holds('repaired');

# ---- A name that was used in the future -----------------------------------------------

sql("SELECT modelreg_delete_model('gone')");
is(register('gone', 'development'), "${gone1}_2", 'a new model of the name goes on with its ids');
is(register('gone', 'development'), "${gone1}_3", '... and goes on');
sql("SELECT modelreg_rename_model('gone', 'other')");
like(register('other', 'development'), qr/^other_$year\d{4}_\d{6}_4$/, 'a renamed model too');
register('gone', 'development');
holds('names were used again');
is(sql('SELECT count(*) - count(DISTINCT model_id) FROM modelreg.audit_event WHERE event = \'register\''), '0', 'no id was issued twice');
is(sql(q{SELECT ok, detail FROM modelreg_check() WHERE item = 'times'}), 't|no version and no model is from the future', 'nothing is left in the future');

# ---- A clock that was ahead by an hour, and many versions of it -------------------------

register('c', 'development');
clock_ahead(3600);
register('c', 'development') for 1 .. 20;
clock_ahead(1800);
register('c', 'development') for 1 .. 2;
clock_ahead(0);
my $last = register('c', 'staging');
is(sql(q{SELECT count(*) FROM modelreg_list(model_name => 'c') WHERE registered_at > clock_timestamp()}), '22', 'a registration lowers nothing');
is(sql(qq{SELECT c.version_number FROM modelreg_info('$last') AS l, modelreg_correct_time((SELECT model_id FROM modelreg_list(model_name => 'c') WHERE version_number = 23), l.registered_at - interval '1 ms') AS c}),
	'23', 'the last of them is corrected');
is(sql(q{SELECT count(*) FROM modelreg_list(model_name => 'c') WHERE registered_at > clock_timestamp()}), '0', '... and those before it');
is(sql(q{SELECT count(DISTINCT registered_at) FROM modelreg_list(model_name => 'c')}), '24', '... each to a time of its own');
my $listed = q{SELECT string_agg(registered_at::text, ' ' ORDER BY version_number) FROM modelreg_list(model_name => 'c') WHERE version_number < 25};
my $times = sql($listed);
clock_ahead(-3600);
register('c', 'production');
holds('the clock was behind');
clock_ahead(-time);
register('c', 'development');
holds('the clock was never set');
is(sql($listed), $times, 'a clock that is behind lowers nothing');
clock_ahead(0);
is(sql(q{SELECT version_number FROM modelreg_find_latest('type', model_name => 'c')}), '26', 'the newest is the last one registered');

# ---- It all comes through a dump ---------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", $node->connstr('postgres') ], 'dump');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), "$dir/dump" ], 'restore');
is(ModelregTest::problems($node, 'restored'), '', 'what was restored verifies');
is($node->safe_psql('restored', q{SELECT count(*) FROM modelreg_register('x', 'type', model_name => 'a', performance_metrics => '{"f1": 1}')}), '1', '... and goes on');

$node->stop;
done_testing();
