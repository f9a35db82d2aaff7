# Thousands of registrations at once: as many ids, no error, numbers without
# gaps, chains that verify.
use strict;
use warnings;

use ModelregTest;
use Test::More;

# The limit of connections is 10 in these clusters.
my $node = ModelregTest::node('main', conf => <<'CONF');
max_connections = 40
log_statement = none
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_modelreg_job LOGIN IN ROLE modelreg_writer;
CREATE TABLE issued (run text, model_id text);
GRANT ALL ON issued TO regress_modelreg_job;
SQL

my $register = q{INSERT INTO issued SELECT '%s', model_id FROM modelreg_register(convert_to(:client_id || '.' || random(), 'UTF8'), 'job', model_name => %s, performance_metrics => '{"f1_score": 0.5}');};

# clients, transactions of each, more options
sub run_clients
{
	my ($run, $name, $clients, $transactions, @options) = @_;
	my $total = $clients * $transactions;
	local $ENV{PGUSER} = 'regress_modelreg_job';
	$node->pgbench("--no-vacuum --client=$clients --jobs=2 --transactions=$transactions @options",
		0, [ qr{actually processed: $total/$total}, qr{number of failed transactions: 0 } ], [qr{^$}],
		"$run: $total registrations by $clients clients without an error",
		{ "050_$run" => $name });
	is($node->safe_psql('postgres', "SELECT count(*), count(DISTINCT model_id) FROM issued WHERE run = '$run'"),
		"$total|$total", "$run: as many ids");
	return $total;
}

my $total = 0;
$total += run_clients('one_name', sprintf($register, 'one_name', q{'one'}), 16, 125);
$total += run_clients('many_names', "\\set name random(1, 50)\n" . sprintf($register, 'many_names', q{'many ' || :name}), 20, 100);

# In a transaction with other work of the job, and under a snapshot: a failure
# is 40001 then, which pgbench tries again.
$total += run_clients('snapshot', "BEGIN ISOLATION LEVEL REPEATABLE READ;\n" . sprintf($register, 'snapshot', q{'snap'}) . "\nCOMMIT;",
	4, 50, '--max-tries=10000');
$total += run_clients('serializable', "\\set name random(1, 5)\nBEGIN ISOLATION LEVEL SERIALIZABLE;\n" . sprintf($register, 'serializable', q{'serial ' || :name}) . "\nCOMMIT;",
	4, 50, '--max-tries=10000');

is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT model_id) FROM issued'), "$total|$total",
	'no id was issued twice');
is($node->safe_psql('postgres', 'SELECT count(*) FROM issued FULL JOIN modelreg.model_version USING (model_id) WHERE run IS NULL OR version IS NULL'),
	'0', 'the ids that were returned are those that are there');
is($node->safe_psql('postgres', <<'SQL'), '0', 'the numbers are 1 to N in each model, in the order of time');
SELECT count(*) FROM (
	SELECT version_number,
		row_number() OVER (PARTITION BY model_key ORDER BY registered_at, model_id) AS place,
		version, last_version_number, count(*) OVER (PARTITION BY model_key) AS versions
	FROM modelreg.model_version JOIN modelreg.model USING (model_key)) AS v
WHERE version_number <> place OR version <> format('0.%s.0', version_number) OR last_version_number <> versions
SQL
is($node->safe_psql('postgres', q{SELECT count(*) FROM modelreg.model WHERE model_name LIKE 'many %'}), '50', 'fifty names');
is(ModelregTest::problems($node, 'postgres'), '', 'all chains verify and all bytes are whole');

$node->stop;
done_testing();
