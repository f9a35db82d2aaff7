# A hot standby: all that reads works there, all that writes is refused with
# 25006, and after a promotion the registry goes on.
use strict;
use warnings;

use ModelregTest;
use PostgreSQL::Test::Cluster;
use Test::More;

my $primary = ModelregTest::node('primary', init => [ allows_streaming => 1 ]);
ModelregTest::fill($primary, 'postgres');
$primary->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_modelreg_service LOGIN IN ROLE modelreg_reader;
CREATE ROLE regress_modelreg_release LOGIN IN ROLE modelreg_admin;
SQL
my $anchor = $primary->safe_psql('postgres', 'SELECT modelreg_audit_head()');

$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

# What arrives by streaming: a version, a stage move, a rename.
my $noise = ModelregTest::noise('streamed', 1_000_000);
$primary->safe_psql('postgres', <<"SQL");
SELECT modelreg_register($noise, 'isolation_forest', '3.0.0', 'fraud', '{"f1_score": 0.99}', tags => '{streamed}');
SELECT modelreg_update_stage(model_id, 'production') FROM modelreg_find_latest(model_name => 'fraud');
SELECT modelreg_rename_model('renamed', 'renamed_again');
SQL
$primary->wait_for_catchup($standby);

# ---- Readers -------------------------------------------------------------------

is(ModelregTest::fingerprint($standby, 'postgres'),
	ModelregTest::fingerprint($primary, 'postgres'), 'the same tables');

# The same question gives the same answer on both.
my %read = (
	load => q{SELECT md5(modelreg_load(model_id)) FROM modelreg_list() ORDER BY model_id},
	load_file => q{SELECT path, md5(modelreg_load(model_id, path => path)) FROM modelreg.version_file ORDER BY path},
	download_file => q{SELECT path, md5(d) FROM modelreg.version_file, modelreg_download(model_id, path => path, piece_size => 100000) AS d ORDER BY path, 2},
	load_unverified => q{SELECT md5(modelreg_load(model_id, false)) FROM modelreg_list() ORDER BY model_id},
	download => q{SELECT md5(modelreg_download(model_id, piece_size => 100000)) FROM modelreg_list() ORDER BY model_id},
	download_range => q{SELECT md5(modelreg_download(model_id, artifact_size / 3, artifact_size / 2 + 1)) FROM modelreg_list() ORDER BY model_id},
	load_latest => q{SELECT model_id, model_name, model_type, version, deployment_stage, checksum, performance_metrics, length(artifact), sha256(artifact) = decode(checksum, 'hex') FROM modelreg_load_latest('isolation_forest', 'production')},
	find_latest => q{SELECT * FROM modelreg_find_latest(model_name => 'fraud', tags => '{streamed}', min_performance => '{"f1_score": 0.9}')},
	list => q{SELECT * FROM modelreg_list(max_rows => 5)},
	info => q{SELECT i.* FROM modelreg_list() AS l, modelreg_info(l.model_id) AS i},
	resolve => q{SELECT v.* FROM modelreg.model_alias AS a JOIN modelreg.model AS m USING (model_key), modelreg_resolve(m.model_name, a.alias) AS v},
	compare => q{SELECT * FROM modelreg_compare(ARRAY(SELECT model_id FROM modelreg_list(model_name => 'fraud')))},
	history => q{SELECT * FROM modelreg_history()},
	history_of_name => q{SELECT event, model_name FROM modelreg_history('renamed_before')},
	at => q{SELECT * FROM modelreg_at((SELECT max(at) FROM modelreg.audit_event))},
	audit_verify => qq{SELECT model_name, events, ok, first_bad_seq, problem FROM modelreg_audit_verify(anchor => \$a\$$anchor\$a\$)},
	audit_head => q{SELECT modelreg_audit_head() - 'at'},
	verify => q{SELECT * FROM modelreg_verify()},
	check => q{SELECT * FROM modelreg_check()},
	health => q{SELECT * FROM modelreg.artifact_health},
	preview => q{SELECT * FROM modelreg_cleanup_preview()},
	views => q{SELECT (SELECT count(*) FROM modelreg.model_metric), (SELECT count(*) FROM modelreg.production_model), (SELECT count(*) FROM modelreg.stage_history), (SELECT sum(artifact_bytes) FROM modelreg.storage_usage), s.* FROM modelreg.registry_stats AS s});
for my $name (sort keys %read)
{
	my @service = (extra_params => [ '-U', 'regress_modelreg_service' ]);
	my $answer = $standby->safe_psql('postgres', $read{$name}, @service);
	isnt($answer, '', "$name finds something") if $name ne 'preview';
	is($answer, $primary->safe_psql('postgres', $read{$name}, @service), "$name works");
}
is(ModelregTest::problems($standby, 'postgres'), '', 'the standby is sound');

# Who may register can ask there whether the arguments are right.
my $check = q{SELECT modelreg_check_registration('isolation_forest', '%s', 'fraud', '{"f1_score": 0.9}')};
is($standby->safe_psql('postgres', sprintf($check, '3.0.1')), '', 'check_registration works');
my (undef, undef, $taken) = $standby->psql('postgres', sprintf($check, '3.0.0'));
like($taken, qr/version "3.0.0" of model "fraud" exists already/, '... and finds what is wrong');

# Who may go on with an upload can ask there how far it is.
my $status = 'SELECT s.* FROM modelreg.upload, modelreg_upload_status(upload_id) AS s';
like($standby->safe_psql('postgres', $status), qr/^400003\|/, 'upload_status works');
is($standby->safe_psql('postgres', $status), $primary->safe_psql('postgres', $status), '... and says the same');

# A damaged byte is found there as well.  (It is put back on the primary.)
my $damage = <<'SQL';
SET session_replication_role = replica;
ALTER TABLE modelreg.chunk_piece DISABLE TRIGGER chunk_piece_row_guard;
UPDATE modelreg.chunk_piece SET data = set_byte(data, 4000, 255 - get_byte(data, 4000))
WHERE (chunk, piece_no) = (
	SELECT c.chunk, 3 FROM modelreg.artifact_chunk AS c
	JOIN modelreg.artifact AS a USING (content)
	JOIN modelreg.model_version AS v ON a.sha256 = decode(v.checksum, 'hex')
	WHERE v.version = '3.0.0' AND c.chunk_no = 1);
ALTER TABLE modelreg.chunk_piece ENABLE ALWAYS TRIGGER chunk_piece_row_guard;
SQL
$primary->safe_psql('postgres', $damage);
$primary->wait_for_catchup($standby);
my $damaged = q{modelreg_find_latest(version => '3.0.0')};
is(ModelregTest::sqlstate($standby, 'postgres', q{SELECT count(*) FROM modelreg_load_latest(version => '3.0.0')}),
	'XX001', 'load refuses damaged bytes');
is(ModelregTest::sqlstate($standby, 'postgres', "SELECT length(modelreg_download(model_id)) FROM $damaged"),
	'XX001', 'so does download');
is(ModelregTest::sqlstate($standby, 'postgres', "SELECT length(modelreg_download(model_id, 1)) FROM $damaged"),
	'XX001', 'also a range of them');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM modelreg_verify() WHERE NOT ok}), '1', 'verify finds them');
$primary->safe_psql('postgres', $damage);
$primary->wait_for_catchup($standby);

# ---- Writers -------------------------------------------------------------------

my $id = q{(SELECT model_id FROM modelreg_find_latest(model_name => 'fraud'))};
my $upload = q{'} . $primary->safe_psql('postgres', 'SELECT upload_id FROM modelreg.upload') . q{'};
my @write = (
	q{SELECT modelreg_register('x', 'new', performance_metrics => '{"a": 1}')},
	q{SELECT modelreg_register('\x00', 'isolation_forest', '9.0.0', 'fraud', '{"a": 1}')},
	qq{SELECT modelreg_update_stage($id, 'staging')},
	qq{SELECT modelreg_update($id, notes => 'x')},
	qq{SELECT modelreg_delete($id, true)},
	qq{SELECT modelreg_set_alias($id, 'champion')},
	q{SELECT modelreg_drop_alias('fraud', 'champion')},
	q{SELECT modelreg_create_model('new')},
	q{SELECT modelreg_update_model('fraud', description => 'x')},
	q{SELECT modelreg_rename_model('fraud', 'new')},
	q{SELECT modelreg_delete_model('fraud', true)},
	q{SELECT modelreg_set_stage_rule('staging', 'canary', false)},
	q{SELECT modelreg_set_stage_rule('canary', 'archived', NULL)},
	q{SELECT modelreg_set_metric_direction('auc', false)},
	q{SELECT modelreg_upload_begin(1000)},
	qq{SELECT modelreg_upload_append($upload, 'x')},
	qq{SELECT modelreg_upload_abort($upload)},
	qq{SELECT modelreg_register_files('{a}', ARRAY[$upload]::uuid[], 'x', performance_metrics => '{"a": 1}')},
	qq{SELECT modelreg_register_upload($upload, 'x', performance_metrics => '{"a": 1}')},
	q{SELECT * FROM modelreg_scrub()},
	q{CALL modelreg_cleanup()},
	q{CALL modelreg_cleanup(batch_size => 1, keep_production => false)},
	q{UPDATE modelreg.model_version SET notes = 'x'});
for my $sql (@write)
{
	is(ModelregTest::sqlstate($standby, 'postgres', $sql,
			$sql =~ /^UPDATE/ ? () : (extra_params => [ '-U', 'regress_modelreg_release' ])),
		'25006', "refused: $sql");
}

# ---- Promotion --------------------------------------------------------------------

$primary->stop;
$standby->promote;
is($standby->safe_psql('postgres', <<'SQL'), 'fraud|7|3.1.0', 'after a promotion the numbers go on');
SELECT model_name, version_number, version FROM modelreg_register('y', 'isolation_forest', model_name => 'fraud', performance_metrics => '{"f1_score": 1}')
SQL
is($standby->safe_psql('postgres', <<"SQL"), '400007', '... and the upload');
DO \$\$ BEGIN
	PERFORM modelreg_upload_append($upload, 'tail');
	PERFORM modelreg_register_upload($upload, 'uploaded', performance_metrics => '{"f1_score": 1}');
END \$\$;
SELECT length(modelreg_load(model_id)) FROM modelreg_find_latest('uploaded');
SQL
is(ModelregTest::problems($standby, 'postgres'), '', 'and the registry is sound');
$standby->stop;
done_testing();
