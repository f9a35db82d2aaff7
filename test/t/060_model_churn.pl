# Models that are renamed, deleted and created anew, versions that come, move
# and go, and cleanup, all at once: no errors but the documented ones, no id
# twice, no version without its bytes.
use strict;
use warnings;

use ModelregTest;
use Test::More;

my $seconds = ModelregTest::stress_seconds();
my $node = ModelregTest::node('main', conf => <<'CONF');
max_connections = 40
log_statement = none
deadlock_timeout = 100ms
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE issued (model_id text);
CREATE TABLE outcome (deed text, sqlstate text);
-- What may well go wrong, for another session was faster, is counted by its code.
CREATE FUNCTION try(deed text, command text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	INSERT INTO outcome VALUES (deed, 'done');
EXCEPTION
	WHEN undefined_object OR duplicate_object OR object_in_use OR object_not_in_prerequisite_state OR unique_violation THEN
		INSERT INTO outcome VALUES (deed, SQLSTATE);
END $$;
CREATE FUNCTION some_id() RETURNS text LANGUAGE sql VOLATILE
AS 'SELECT model_id FROM modelreg.model_version ORDER BY random() LIMIT 1';
SQL

# Three names; and few different artifacts, so that they are shared, removed and
# written anew all the time.
my $names = q{\set a random(1, 3)
\set b random(1, 3)
\set bytes random(1, 8)
};
my %script = (
	'060_register@12' => q{INSERT INTO issued SELECT model_id FROM modelreg_register(decode(repeat(md5(:bytes::text), 600), 'hex'), 'churn', model_name => 'churn ' || :a, performance_metrics => '{"f1_score": 0.5}');},
	'060_version@4' => q{SELECT try('version', format($$INSERT INTO issued SELECT model_id FROM modelreg_register('v', 'churn', '0.%s.0', 'churn %s', '{"f1_score": 0.5}')$$, 1000 + :bytes, :a)) WHERE NOT EXISTS (SELECT FROM modelreg.model_version WHERE model_name = 'churn ' || :a AND version = format('0.%s.0', 1000 + :bytes));},
	'060_rename@3' => q{SELECT try('rename', format('SELECT modelreg_rename_model(%L, %L)', 'churn ' || :a, 'churn ' || :b)) WHERE :a <> :b;},
	'060_delete_model@1' => q{SELECT try('delete_model', format('SELECT modelreg_delete_model(%L, %L)', 'churn ' || :a, :b = 1));},
	'060_create_model@1' => q{SELECT try('create_model', format('SELECT modelreg_create_model(%L)', 'churn ' || :a));},
	'060_move@4' => q{SELECT try('move', format('SELECT modelreg_update_stage(%L, %L)', id, CASE WHEN :b = 1 THEN 'production' ELSE 'staging' END)) FROM some_id() AS id WHERE id IS NOT NULL;},
	'060_delete@3' => q{SELECT try('delete', format('SELECT modelreg_delete(%L)', id)) FROM some_id() AS id WHERE id IS NOT NULL;},
	'060_load@6' => q{SELECT sum(length(artifact)) FROM modelreg_load_latest(model_name => 'churn ' || :a);},
	'060_cleanup@2' => q{CALL modelreg_cleanup(batch_size => 3);});
$script{$_} = $names . $script{$_} for keys %script;

$node->pgbench("--no-vacuum --client=12 --jobs=2 --time=$seconds", 0,
	[qr{number of failed transactions: 0 }], [qr{^$}],
	'models come and go under load without an undocumented error', \%script);

my $outcome = $node->safe_psql('postgres', 'SELECT deed, sqlstate, count(*) FROM outcome GROUP BY 1, 2 ORDER BY 1, 2');
note($outcome);
like($outcome, qr/^$_\|done\|/m, "$_ happened")
  for qw(rename delete_model create_model move delete version);
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT deed, ' ') FROM outcome WHERE sqlstate = '23505' AND deed <> 'version'}),
	'', '23505 means that a version exists, and nothing else');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM issued'), '>', 100, 'there were registrations');
is($node->safe_psql('postgres', 'SELECT count(*) - count(DISTINCT model_id) FROM issued'), '0', 'no id was issued twice');
is($node->safe_psql('postgres', q{SELECT count(*) FROM issued FULL JOIN (SELECT model_id, event FROM modelreg.audit_event WHERE event = 'register') AS e USING (model_id) WHERE issued IS NULL OR event IS NULL}),
	'0', 'the trail has exactly the registrations that were returned');
is(ModelregTest::problems($node, 'postgres'), '', 'all chains verify, no version lost its bytes');

# At rest, cleanup leaves exactly the bytes that are used.
$node->safe_psql('postgres', 'CALL modelreg_cleanup()');
is($node->safe_psql('postgres', <<'SQL'), '0|0', 'cleanup leaves what is used and nothing else');
SELECT (SELECT count(*) FROM modelreg.artifact FULL JOIN (SELECT DISTINCT decode(checksum, 'hex') AS sha256, true AS used FROM modelreg.model_version) AS v USING (sha256) WHERE used IS NULL OR storage IS NULL),
	(SELECT count(*) FROM modelreg_verify() WHERE NOT ok OR model_id IS NULL)
SQL

$node->stop;
done_testing();
