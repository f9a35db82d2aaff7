# NOTIFY modelreg: what is sent at each level, in which form, and when not.
use strict;
use warnings;

use JSON::PP;
use ModelregTest;
use Test::More;

my $node = ModelregTest::node('main');
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN modelreg');

# Run statements, and return what the listener is told, a line an event.
sub told
{
	my ($sql) = @_;
	$node->safe_psql('postgres', $sql);
	my $heard = $listener->query_safe('SELECT 1');
	my @lines;
	while ($heard =~ /^Asynchronous notification "(\w+)" with payload "(.*)" received from server process/mg)
	{
		my ($channel, $payload) = ($1, $2);
		my $event = decode_json($payload);
		is($channel, 'modelreg', 'the channel');
		is(join(' ', sort keys %$event), ($event->{event} eq 'alias' ? 'alias ' : '') . 'event model_id seq stage', "the fields of $payload");
		like($event->{seq}, qr/^[1-9]\d*$/, 'seq is a number');
		if (defined $event->{model_id})
		{
			is($node->safe_psql('postgres', "SELECT event FROM modelreg.audit_event WHERE model_id = '$event->{model_id}' AND seq = $event->{seq}"),
				$event->{event}, 'the event is in the trail');
		}
		push @lines, join ' ', $event->{event}, defined $event->{model_id} ? 'version' : 'none', $event->{alias} // $event->{stage} // 'none';
	}
	return join "\n", @lines;
}

my $register = q{SELECT modelreg_register('%s', 'm', '%s', performance_metrics => '{"auc": 1}', deployment_stage => '%s');};
my $find = q{(SELECT model_id FROM modelreg.model_version WHERE version = '%s')};
my $development = sprintf $register, 1, '1.0.0', 'development';
my $production = sprintf $register, 2, '2.0.0', 'production';
my $promote = sprintf "SELECT modelreg_update_stage($find, 'production');", '1.0.0';
my $edit = sprintf "SELECT modelreg_update($find, notes => 'x');", '1.0.0';
my $raw = q{UPDATE modelreg.model_version SET deployment_stage = 'staging' WHERE version = '2.0.0';};
my $delete = sprintf "SELECT modelreg_delete($find);", '2.0.0';
my $rename = q{SELECT modelreg_rename_model('m', 'n');};
my $rule = q{SELECT modelreg_set_stage_rule('canary', 'staging', false); SELECT modelreg_set_stage_rule('canary', 'staging', NULL);};
my $force = sprintf "SELECT modelreg_delete($find, true);", '1.0.0';

# ---- stage, the default --------------------------------------------------------------

is(told($development), '', 'stage: nothing of a version in development');
is(told($production), 'register version production', 'stage: a registration into production');
is(told($promote), "stage version deprecated\nstage version production", 'stage: a promotion and the demotion before it');
is(told($edit), '', 'stage: no edits');
my $alias = sprintf "SELECT modelreg_set_alias($find, 'champion');", '1.0.0';
is(told($alias), 'alias version champion', 'stage: an alias');
is(told($alias), '', 'stage: nothing where the alias stays');
is(told(q{SELECT modelreg_drop_alias('m', 'champion')}), 'alias none champion', 'stage: an alias that is dropped names nothing');
is(told($raw), 'stage version staging', 'stage: a move by plain SQL');
is(told($delete), 'delete version staging', 'stage: a deletion');
is(told($rename), '', 'stage: no rename');
is(told($rule), '', 'stage: no rules');
is(told($force), "stage version deprecated\ndelete version deprecated", 'stage: a forced deletion');
$node->safe_psql('postgres', q{SELECT modelreg_delete_model('n')});
told('SELECT 1');

# ---- all -------------------------------------------------------------------------------

$node->safe_psql('postgres', q{ALTER SYSTEM SET modelreg.notify = 'all'});
$node->reload;
is(told($development), "model_create none none\nregister version development", 'all: a registration');
is(told($production), 'register version production', 'all: a registration into production');
is(told($edit), 'update version development', 'all: an edit');
is(told($promote), "stage version deprecated\nstage version production", 'all: a promotion');
is(told($rename), 'model_rename none none', 'all: a rename');
is(told($rule), "stage_rule none none\nstage_rule none none", 'all: a rule and its end');
is(told(q{SELECT modelreg_update_model('n', description => 'd')}), 'model_update none none', 'all: settings');

# What is rolled back is not sent.
is(told("BEGIN; $raw ROLLBACK;"), '', 'nothing of a transaction that is rolled back');
is(told("BEGIN; UPDATE modelreg.model_version SET notes = 'y' WHERE version = '1.0.0'; SAVEPOINT s; $raw ROLLBACK TO s; COMMIT;"), 'update version production', 'nothing of a savepoint that is rolled back');
is(told("BEGIN; $raw COMMIT;"), 'stage version staging', 'at commit it is sent');

# ---- Row-level security: anybody may listen, so the hint tells only that something happened ----

sub heard
{
	my ($sql) = @_;
	$node->safe_psql('postgres', $sql);
	return join "\n", $listener->query_safe('SELECT 1') =~ /payload "(.*)" received/mg;
}
for my $table ('model_version', 'model')
{
	$node->safe_psql('postgres', "ALTER TABLE modelreg.$table ENABLE ROW LEVEL SECURITY");
	is(heard($raw =~ s/staging/canary/r), '{"event": "stage", "model_id": null, "stage": null, "seq": null}', "row-level security on $table: a move of something");
	is(heard($alias), '{"event": "alias", "model_id": null, "stage": null, "seq": null}', '... an alias of something');
	is(heard("$raw SELECT modelreg_drop_alias('n', 'champion');"), <<'TEXT' =~ s/\n\z//r, '... and that is all');
{"event": "stage", "model_id": null, "stage": null, "seq": null}
{"event": "alias", "model_id": null, "stage": null, "seq": null}
TEXT
	$node->safe_psql('postgres', "ALTER TABLE modelreg.$table DISABLE ROW LEVEL SECURITY");
}

# ---- none --------------------------------------------------------------------------------

$node->safe_psql('postgres', q{ALTER SYSTEM SET modelreg.notify = 'none'});
$node->reload;
is(told("$raw $edit $force $delete"), '', 'none: nothing');
is(told(q{SELECT modelreg_register('3', 'm', deployment_stage => 'production', performance_metrics => '{"auc": 1}')}), '', 'none: nothing at all');
is(told(q{SET modelreg.notify = 'all'; SELECT modelreg_delete_model('m', true)}), "stage version deprecated\ndelete version deprecated\nmodel_delete none none",
	'a superuser chooses for a session');

# Without NOTIFY a registration can be prepared for two-phase commit.
$node->append_conf('postgresql.conf', 'max_prepared_transactions = 2');
$listener->quit;
$node->restart;
$node->safe_psql('postgres', q{BEGIN; SELECT modelreg_register('p', 'prepared', performance_metrics => '{"auc": 1}'); PREPARE TRANSACTION 'p'});
$node->restart;
$node->safe_psql('postgres', q{COMMIT PREPARED 'p'});
is($node->safe_psql('postgres', q{SELECT version FROM modelreg_load_latest('prepared')}), '0.1.0', 'none: a registration by two-phase commit');
is(ModelregTest::problems($node, 'postgres'), '', 'the registry is sound');

$node->stop;
done_testing();
