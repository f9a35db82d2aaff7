# A version with every argument at its limit, beyond which nothing comes in, can
# be updated, moved, renamed, verified, dumped, restored and deleted; and none
# of that goes on when it is cancelled.
use strict;
use warnings;

use ModelregTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

# these nodes log every statement
my $node = ModelregTest::node('main', conf => "log_statement = none\nautovacuum = off\n");
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->set_query_timer_restart();
$session->query_safe('\set VERBOSITY verbose');

# Run in the one session; returns the error's SQLSTATE and message.
sub error_of
{
	my ($sql) = @_;
	$session->query($sql);
	my $error = $session->{stderr};
	$session->{stderr} = '';
	return $error =~ /^(?:psql:.*?: )?ERROR:\s+(\S{5}: .*)/m ? $1 : '';
}

# The values that are at their limits: 16 MB of text of different kinds, together
# 64 MB; a thousand parents and tags.
$session->query_safe(<<'SQL');
SET synchronous_commit = off;
DO $$ BEGIN FOR i IN 1..1000 LOOP PERFORM modelreg_register('p', 'p', performance_metrics => '{"f1": 1}'); END LOOP; END $$;
-- so many bytes of text, and fewer of jsonb
CREATE FUNCTION filled(value jsonb, bytes int) RETURNS jsonb
	LANGUAGE sql
	AS $$SELECT value || jsonb_build_object('filler', repeat(E'\x01', missing / 6) || repeat('x', missing % 6))
	FROM (SELECT $2 - length(value::text) - 14) AS m (missing)$$;
CREATE TABLE limited AS SELECT
	rpad('model ', 256, '𝛼')::text AS any_name,
	filled(jsonb_build_object('numbers', (SELECT jsonb_agg(1e308) FROM generate_series(1, 53000))), 16777216) AS numbers,
	filled(jsonb_build_object('controls', repeat(E'\x01', 2796190)), 16777216) AS controls,
	filled((SELECT jsonb_object_agg('key ' || n, 'value ' || n) FROM generate_series(1, 400000) AS n), 16777216) AS keys,
	repeat(E'\x02', 1048576) AS notes,
	(SELECT array_agg(rpad(n::text, 256, '"')) FROM generate_series(1, 1000) AS n) AS tags,
	(SELECT array_agg(model_id) FROM modelreg.model_version) AS parents,
	'{}'::jsonb AS metrics;
-- each metric takes 822 bytes
CREATE FUNCTION metrics(count int, value numeric) RETURNS jsonb
	LANGUAGE sql
	AS $$SELECT jsonb_object_agg(to_char(n, 'FM00000') || repeat('"', 251), value) FROM generate_series(1, count) AS n$$;
UPDATE limited SET metrics = metrics((64 * 1024 * 1024 - 3 * 16777216 - length(to_jsonb(notes)::text) - length(to_jsonb(tags)::text)) / 822, 1e308);
SQL

# Arguments of a registration, of which some may be another.
sub registration
{
	my (%other) = @_;
	my %argument = (
		model_type => 'any_name', model_name => 'any_name', dataset_version => 'any_name',
		version => q{'1.0.0-' || repeat('x', 249)}, performance_metrics => 'metrics',
		tags => 'tags', notes => 'notes', model_config => 'numbers', training_metadata => 'controls',
		parent_ids => 'parents', properties => 'keys', %other);
	return q{SELECT model_id FROM limited, modelreg_register('\x01', }
	  . join(', ', map { "$_ => $argument{$_}" } sort keys %argument) . ')';
}

is($session->query_safe('SELECT length(any_name), octet_length(any_name), length(numbers::text), length(controls::text), length(keys::text) FROM limited'),
	'256|1006|16777216|16777216|16777216', 'the values are at their limits');
cmp_ok($session->query_safe(q{SELECT length(jsonb_build_array(numbers, controls, keys, notes, tags, metrics)::text) FROM limited}),
	'>', 64 * 1024 * 1024 - 10_000, '... and together at that of a version');

my %beyond = (
	model_name => q{any_name || 'x'}, model_type => q{any_name || 'x'}, dataset_version => q{any_name || 'x'},
	version => q{'1.0.0-' || repeat('x', 250)}, notes => q{notes || 'x'}, tags => q{tags || 'one more'::text},
	parent_ids => q{parents || 'one more'::text}, model_config => q{numbers || '{"": 1}'},
	training_metadata => q{controls || '{"": 1}'}, properties => q{keys || '{"": 1}'},
	performance_metrics => q{metrics || (SELECT jsonb_object_agg('m' || n, 1e308) FROM generate_series(1, 100) AS n)});
for my $argument (sort keys %beyond)
{
	my $said = $argument eq 'performance_metrics' ? 'metadata of the version' : $argument;
	like(error_of(registration($argument => $beyond{$argument})), qr/^22023: $said (?:is|has)/, "no more than the limit: $argument");
}
is($session->query_safe(q{SELECT count(*) FROM modelreg.model WHERE model_name <> 'p'}), '0', '... and nothing was registered');

# Cancelled 0.2 s after it began, a call ends within seconds: PostgreSQL makes the
# text of one value without a look at interrupts.
sub timed_out
{
	my ($what, $sql) = @_;
	$session->query_safe("SET statement_timeout = '200ms'");
	my $began = time;
	my $error = error_of($sql);
	my $took = time - $began;
	$session->query_safe('SET statement_timeout = 0');
	note(sprintf('%s: %.2f s after statement_timeout', $what, $took - 0.2));
	like($error, qr/^57014/, "$what: statement_timeout");
	cmp_ok($took, '<', 15, '... acts before it would have ended');
	return;
}

timed_out('register', registration());
my $began = time;
my $id = $session->query_safe(registration());
note(sprintf 'register: %.2f s', time - $began);
like($id, qr/^model 𝛼.*𝛼_\d{8}_\d{6}$/, 'everything at its limit is registered');
is(ModelregTest::problems($node, 'postgres'), '', '... and sound');

my $of = "WHERE model_id = '$id'";
my %change = (
	update => qq{SELECT FROM limited, modelreg_update('$id', notes => repeat(E'\\x03', 1048576), tags => (SELECT array_agg(rpad(n::text, 256, '\\')) FROM generate_series(1001, 2000) AS n), performance_metrics => metrics(14000, -1e307), reason => notes, properties => (SELECT jsonb_object_agg('key ' || n, CASE n % 2 WHEN 0 THEN 'other ' || n END) FROM generate_series(1, 400000) AS n))},
	stage => qq{SELECT FROM limited, modelreg_update_stage('$id', 'staging', notes)},
	rename => q{SELECT FROM limited, modelreg_rename_model(any_name, rpad('other ', 256, '𝛽'), notes)},
	alias => qq{SELECT FROM limited, modelreg_set_alias('$id', any_name, notes)},
	'update by SQL' => "UPDATE modelreg.model_version SET properties = jsonb_set(properties, '{filler}', '\"\"'), training_metadata = training_metadata $of",
	'update of the model' => q{SELECT FROM limited, modelreg_update_model(rpad('other ', 256, '𝛽'), description => notes, tags => tags, properties => keys, reason => notes)});
timed_out('update', $change{update});
for my $what ('update', 'stage', 'rename', 'alias', 'update by SQL', 'update of the model')
{
	$began = time;
	is(error_of($change{$what}), '', $what);
	note(sprintf '%s: %.2f s', $what, time - $began);
}
is(ModelregTest::problems($node, 'postgres'), '', 'all of it is sound');
timed_out('list', 'SELECT * FROM modelreg_list()');
timed_out('history', 'SELECT * FROM modelreg_history()');
timed_out('audit_verify', 'SELECT * FROM modelreg_audit_verify()');

# ---- Dump and restore --------------------------------------------------------------------

# Whole tables are compared by the verification, which reads all of them.
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
my $head = $node->safe_psql('postgres', q{SELECT modelreg_audit_head() -> 'heads'});
$node->command_ok([ 'pg_dump', '-Fc', '-Z1', '-f', $dump, '-d', 'postgres' ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ qw(pg_restore --exit-on-error -j2 -d restored), $dump ], 'restore');
is($node->safe_psql('restored', q{SELECT modelreg_audit_head() -> 'heads'}), $head, '... with the same trail');
is(ModelregTest::problems($node, 'restored'), '', '... sound');
unlink $dump;
$node->safe_psql('postgres', 'DROP DATABASE restored');

# ---- Deletion ----------------------------------------------------------------------------

$began = time;
is(error_of(q{SELECT FROM limited, modelreg_delete_model(rpad('other ', 256, '𝛽'), true, notes)}), '', 'the model with its version is deleted');
note(sprintf 'delete: %.2f s', time - $began);
is(ModelregTest::problems($node, 'postgres'), '', '... and sound');

# What no registration lets in, but a superuser did: its text is longer than a
# value may be in PostgreSQL, so nothing can make it.
$session->query_safe(<<'SQL');
SELECT FROM modelreg_register('\x02', 'huge', performance_metrics => '{"f1": 1}');
ALTER TABLE modelreg.model_version DISABLE TRIGGER USER;
UPDATE modelreg.model_version SET properties = jsonb_build_object('a', (SELECT jsonb_agg(1e131071) FROM generate_series(1, 9000))) WHERE model_type = 'huge';
ALTER TABLE modelreg.model_version ENABLE TRIGGER USER;
ALTER TABLE modelreg.model_version ENABLE ALWAYS TRIGGER model_version_row_guard;
ALTER TABLE modelreg.model_version ENABLE ALWAYS TRIGGER model_version_statement_guard;
SQL
like(error_of(q{SELECT * FROM modelreg.model_version WHERE model_type = 'huge'}), qr/^54000/, 'a version that cannot be shown');
like($session->query_safe(q{SELECT problem FROM modelreg_audit_verify('huge')}), qr/differs from the trail in: properties/, '... is verified');
timed_out('delete', q{SELECT modelreg_delete(model_id) FROM modelreg.model_version WHERE model_type = 'huge'});
is(error_of(q{SELECT modelreg_delete(model_id) FROM modelreg.model_version WHERE model_type = 'huge'}), '', '... can be deleted');
is($session->query_safe(q{SELECT old_values #>> '{omitted,properties,size}' FROM modelreg_history('huge') WHERE event = 'delete'}),
	9000 * length('1' . '0' x 131071 . ', ') - 2 + length('{"a": []}'), '... and the trail says how large it was');
is(ModelregTest::problems($node, 'postgres'), '', '... and sound');

$session->quit;
$node->stop;
done_testing();
