# Logical replication of all tables to a database with the extension: rows
# arrive as they are, the guards let them pass and hold against everybody else,
# and nothing is recorded twice.
use strict;
use warnings;

use ModelregTest;
use PostgreSQL::Test::Utils;
use Test::More;

# What rots on disk shall be found by modelreg, not by PostgreSQL.
my $trusting = "ignore_checksum_failure = on\n";
my $publisher = ModelregTest::node('publisher', init => [ allows_streaming => 'logical' ], conf => $trusting);
my $subscriber = ModelregTest::node('subscriber', conf => "${trusting}wal_retrieve_retry_interval = '500ms'\n");
my $connection = $publisher->connstr . ' dbname=postgres';

# Waiting for what never comes should not take minutes.
$PostgreSQL::Test::Utils::timeout_default = 20;

ModelregTest::fill($publisher, 'postgres');
$publisher->safe_psql('postgres', 'CREATE PUBLICATION everything FOR ALL TABLES');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION everything CONNECTION '$connection' PUBLICATION everything");
$subscriber->wait_for_subscription_sync($publisher, 'everything');
same('initial copy');

sub same
{
	my ($what) = @_;
	my $tables = ModelregTest::fingerprint($publisher, 'postgres');
	ok(eval { $publisher->wait_for_catchup('everything'); 1 }, "$what: arrived");
	is(ModelregTest::fingerprint($subscriber, 'postgres'), $tables, "$what: the same tables");
	is(ModelregTest::problems($subscriber, 'postgres'), '', "$what: sound");
	return;
}

# ---- Changes, one kind at a time --------------------------------------------------

my $fraud = q{(SELECT model_id FROM modelreg_find_latest(model_name => 'fraud'))};
my @changes = (
	[ 'registration of three chunks', q{SELECT modelreg_register(decode(repeat('00ff', 300000), 'hex'), 'isolation_forest', '3.0.0', 'fraud', '{"f1_score": 0.99}')} ],
	[ 'first version of a model', q{SELECT modelreg_register('n', 'newcomer', performance_metrics => '{"f1_score": 0.99}')} ],
	[ 'promotion', qq{SELECT modelreg_update_stage($fraud, 'production', 'better')} ],
	[ 'registration into production', q{SELECT modelreg_register('p', 'isolation_forest', '4.0.0', 'fraud', '{"f1_score": 1}', 'production')} ],
	[ 'edit', qq{SELECT modelreg_update($fraud, notes => 'n', tags => '{t}', performance_metrics => '{"f1_score": 0}')} ],
	[ 'directory', q{SELECT v.model_id FROM modelreg_upload_begin() AS u, modelreg_upload_append(u, 'bytes') AS a, modelreg_register_files('{a/b}', ARRAY[u], 'files', performance_metrics => '{"f1_score": 1}') AS v} ],
	[ 'directory gone', q{SELECT modelreg_delete_model('files')} ],
	[ 'alias', qq{SELECT modelreg_set_alias($fraud, 'champion')} ],
	[ 'alias moved', q{SELECT modelreg_set_alias(v.model_id, 'champion') FROM modelreg.model_version AS v WHERE v.model_name = 'fraud' AND v.version_number = 1} ],
	[ 'alias and version gone', q{SELECT modelreg_delete(model_id, true) FROM modelreg_resolve('fraud', 'champion')} ],
	[ 'properties', qq{SELECT modelreg_update($fraud, properties => '{"k": 1}')} ],
	[ 'plain SQL', q{UPDATE modelreg.model_version SET deployment_stage = 'staging', notes = 'raw' WHERE model_name = 'newcomer'} ],
	[ 'settings of a model', q{SELECT modelreg_update_model('newcomer', exclusive_production => false, max_versions => 1)} ],
	[ 'rename', q{SELECT modelreg_rename_model('fraud', 'fraud_detection')} ],
	[ 'rule', q{SELECT modelreg_set_stage_rule('archived', 'production', true)} ],
	[ 'a move that the rule allows', q{SELECT modelreg_update_stage(model_id, 'production') FROM modelreg_find_latest(model_name => 'renamed')} ],
	[ 'rule taken back', q{SELECT modelreg_set_stage_rule('archived', 'production', NULL); SELECT modelreg_set_stage_rule('development', 'production', true)} ],
	[ 'metric direction', q{SELECT modelreg_set_metric_direction('odd_metric', NULL); SELECT modelreg_set_metric_direction('auc', true)} ],
	[ 'deletion', q{SELECT modelreg_delete(model_id) FROM modelreg_find_latest(model_name => 'fraud_detection', version => '2.0.0-rc.1+build.5')} ],
	[ 'forced deletion', q{SELECT modelreg_delete(model_id, true) FROM modelreg_find_latest(model_name => 'fraud_detection', version => '4.0.0')} ],
	[ 'deletion of a model', q{SELECT modelreg_delete_model('settings', true)} ],
	[ 'model created anew', q{SELECT modelreg_create_model('settings')} ],
	[ 'cleanup', q{CALL modelreg_cleanup()} ],
	[ 'upload begun', q{SELECT modelreg_upload_append(modelreg_upload_begin(), } . ModelregTest::noise('begun', 300_000) . ')' ],
	[ 'upload gone on with', q{SELECT modelreg_upload_append(upload_id, 'more') FROM modelreg.upload} ],
	[ 'upload registered', q{SELECT modelreg_register_upload(upload_id, 'uploaded', performance_metrics => '{"auc": 1}') FROM modelreg.upload} ],
	[ 'scrub', q{SELECT * FROM modelreg_scrub()} ]);
for my $change (@changes)
{
	my ($what, $sql) = @$change;
	$publisher->safe_psql('postgres', $sql);
	same($what);
}

my $log = slurp_file($subscriber->logfile);
unlike($log, qr/ERROR/, 'the apply worker met no error');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM modelreg.audit_event AS a FULL JOIN modelreg.audit_event AS b USING (model_key, seq) WHERE a.hash IS DISTINCT FROM b.hash'),
	'0', 'the trail arrived and was not written twice');

# ---- Guards on the subscriber --------------------------------------------------------

$subscriber->safe_psql('postgres', 'CREATE ROLE regress_modelreg_admin LOGIN IN ROLE modelreg_admin');
$subscriber->safe_psql('postgres', 'GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA modelreg TO modelreg_admin');
my @attacks = (
	[ '55006', q{DELETE FROM modelreg.model_version WHERE deployment_stage = 'production'} ],
	[ '42501', q{UPDATE modelreg.model_version SET checksum = repeat('0', 64)} ],
	[ '42501', q{UPDATE modelreg.audit_event SET reason = 'x'} ],
	[ '42501', q{DELETE FROM modelreg.audit_event} ],
	[ '42501', q{UPDATE modelreg.chunk_piece SET data = 'x'} ],
	[ '55006', q{DELETE FROM modelreg.artifact} ],
	[ '42501', q{UPDATE modelreg.model SET last_version_number = 0} ],
	[ '55000', q{UPDATE modelreg.model_version SET deployment_stage = 'archived' WHERE deployment_stage = 'canary'} ]);
for my $attack (@attacks)
{
	my ($sqlstate, $sql) = @$attack;
	is(ModelregTest::sqlstate($subscriber, 'postgres', $sql), $sqlstate, "superuser: $sql");
	is(ModelregTest::sqlstate($subscriber, 'postgres', "SET session_replication_role = replica; $sql"),
		$sqlstate, "superuser in replica mode: $sql");
	is(ModelregTest::sqlstate($subscriber, 'postgres', $sql, extra_params => [ '-U', 'regress_modelreg_admin' ]),
		$sqlstate, "admin with grants: $sql");
}
is(ModelregTest::sqlstate($subscriber, 'postgres', 'TRUNCATE modelreg.audit_event'), '42501', 'TRUNCATE is refused');
is(ModelregTest::sqlstate($subscriber, 'postgres', 'INSERT INTO modelreg.model SELECT * FROM modelreg.model',
		extra_params => [ '-U', 'regress_modelreg_admin' ]),
	'42501', 'direct INSERT is refused');
same('after the attacks');

# ---- A move and a rule that forbids it, at once ------------------------------------

# Both are legal: the rule was not there yet.  The subscriber gets them in the
# order of commit, the rule first.
$publisher->safe_psql('postgres', q{SELECT modelreg_register('race', 'race', performance_metrics => '{"f1_score": 1}')});
my $session = $publisher->background_psql('postgres');
$session->query_safe('BEGIN');
$session->query_safe(q{SELECT modelreg_update_stage(model_id, 'staging') FROM modelreg_find_latest(model_name => 'race')});
$publisher->safe_psql('postgres', q{SELECT modelreg_set_stage_rule('development', 'staging', false)});
$session->query_safe('COMMIT');
$session->quit;
same('a move and its prohibition');

# ---- A repair -------------------------------------------------------------------------

# Bytes rot on disk, then the same are registered again: the repair changes rows
# that nothing else may change, and the guards of the subscriber let it pass,
# whether its own bytes were damaged or not.
for my $what ('both', 'the publisher')
{
	my $noise = ModelregTest::noise("damaged $what", 300_000);
	$publisher->safe_psql('postgres', "SET modelreg.compression = none; " . register_bytes($noise));
	same("before $what rots");
	ModelregTest::rot($_, 'postgres', "damaged $what") for $what eq 'both' ? ($subscriber, $publisher) : $publisher;
	isnt(ModelregTest::problems($_, 'postgres'), '', "$what: damaged") for $what eq 'both' ? ($subscriber, $publisher) : $publisher;
	$publisher->safe_psql('postgres', register_bytes($noise));
	is(ModelregTest::problems($publisher, 'postgres'), '', "$what: repaired");
	like($publisher->safe_psql('postgres', 'SELECT event FROM modelreg_history() ORDER BY at DESC LIMIT 2'), qr/^repair$/m, "$what: ... and recorded");
	# with which the damaged chunk goes
	$publisher->safe_psql('postgres', 'CALL modelreg_cleanup()');
	same("$what repaired");
}

sub register_bytes
{
	my ($bytes) = @_;
	return qq{SELECT modelreg_register($bytes, 'rot', performance_metrics => '{"auc": 1}')};
}

$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION everything');
$subscriber->stop;
$publisher->stop;
done_testing();
