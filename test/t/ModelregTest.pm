
=head1 NAME

ModelregTest - servers that find the staged modelreg, for the tests in test/t

=head1 SYNOPSIS

  use ModelregTest;
  use Test::More;

  my $node = ModelregTest::node('primary', conf => "wal_level = logical\n");
  is($node->safe_psql('postgres', 'SELECT count(*) FROM modelreg.model'), '0');

  # Another major version, when make test-all-versions runs the test:
  for my $server (ModelregTest::other_servers())
  {
      my $new = ModelregTest::node('new', server => $server);
  }
  done_testing();

=cut

package ModelregTest;

use strict;
use warnings;

use Digest::SHA qw(sha512);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

=head1 FUNCTIONS

=head2 node(name, option => value, ...)

Make and start a PostgreSQL::Test::Cluster and create the extension in its
database "postgres".  Options:

  conf       => text appended to postgresql.conf
  init       => arguments of PostgreSQL::Test::Cluster's init, as an array
  cron       => a database for pg_cron to work in; pg_cron is then preloaded
  server     => one of other_servers()
  start      => 0: do not start it
  extension  => 0: do not create the extension

=cut

sub node
{
	my ($name, %options) = @_;
	my $server = $options{server};
	my $node = PostgreSQL::Test::Cluster->new($name,
		$server ? (install_path => $server->{install_path}) : ());
	# whatever the locale of who runs the tests
	$node->init(extra => [ '--encoding=UTF8', '--locale=C' ], @{ $options{init} // [] });
	$node->append_conf('postgresql.conf',
		settings($server ? $server->{stage} : $ENV{MODELREG_STAGE}));
	# These nodes log every statement; artifacts need not be in the log.
	$node->append_conf('postgresql.conf', "log_parameter_max_length = 1024\n");
	if ($options{cron})
	{
		$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'pg_cron'
cron.database_name = '$options{cron}'
cron.host = '@{[$node->host]}'
cron.timezone = 'UTC'
CONF
	}
	$node->append_conf('postgresql.conf', $options{conf})
	  if defined $options{conf};
	return $node if defined $options{start} && !$options{start};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION modelreg')
	  unless defined $options{extension} && !$options{extension};
	return $node;
}

=head2 stress_seconds()

For how long a test that looks for rare interleavings does so: what
MODELREG_STRESS_SECONDS says, else 15.

=cut

sub stress_seconds
{
	return $ENV{MODELREG_STRESS_SECONDS} || 15;
}

=head2 settings(stage)

The lines of postgresql.conf by which a server finds the extension staged in a
directory.  Without one the extension is installed (make installcheck).

=cut

sub settings
{
	my ($stage) = @_;
	return "session_preload_libraries = 'modelreg'\n" unless defined $stage;
	return slurp_file("$stage/modelreg.conf");
}

=head2 other_servers()

The other PostgreSQL versions that the extension is staged for, lowest first:
hashes with major, pg_config, bindir, install_path and stage.  Empty unless
make test-all-versions runs the test.

=cut

sub other_servers
{
	my @servers;
	for my $pair (split ' ', $ENV{MODELREG_OTHER_PG_CONFIGS} // '')
	{
		my ($pg_config, $stage) = split /=/, $pair, 2;
		chomp(my $bindir = `'$pg_config' --bindir`);
		my ($major) = `'$pg_config' --version` =~ /(\d+)/;
		(my $install_path = $bindir) =~ s{/bin$}{};
		push @servers,
		  { major => $major, pg_config => $pg_config, bindir => $bindir,
			install_path => $install_path, stage => $stage };
	}
	return sort { $a->{major} <=> $b->{major} } @servers;
}

=head2 fill(node, database)

Fill a registry with something of everything: versions in all stages, of all
sizes and with awkward texts; models that were renamed, deleted, created anew;
rules and metric directions; changes by plain SQL; bytes that are shared, and
bytes that wait for cleanup; an upload that is not finished, one that was
aborted, and what a scrub found.

=cut

sub fill
{
	my ($node, $database) = @_;
	$node->safe_psql($database, <<'SQL');
DO $$
DECLARE
	id text;
	uploads uuid[];
	parent text;
BEGIN
	FOR i IN 1..4 LOOP
		-- from one byte to 320,000, which is more than a chunk
		SELECT model_id INTO id FROM modelreg_register(
			CASE i
				WHEN 1 THEN '\x00'
				WHEN 2 THEN convert_to(repeat('x', 8096), 'UTF8')
				WHEN 3 THEN convert_to(repeat('y', 8097), 'UTF8')
				ELSE (SELECT decode(string_agg(md5(n::text), ''), 'hex') FROM generate_series(1, 20000) AS n)
			END,
			'isolation_forest', model_name => 'fraud',
			performance_metrics => jsonb_build_object('f1_score', 0.1 + i / 3.0, 'latency_ms', i),
			tags => ARRAY['tag ' || i, 'a,b', '"{}\', 'ünï'],
			notes => E'line\nline\t''quoted'' \\ ' || i,
			model_config => '{"n_estimators": 100, "nested": {"a": [1, null, "x"]}}',
			training_metadata => '{"seconds": 1.5e-3}',
			dataset_version => '2026-01', parent_ids => array_remove(ARRAY[parent], NULL),
			created_at => '2026-01-02 03:04:05.678901+02');
		parent := id;
		PERFORM modelreg_update_stage(id, (ARRAY['staging', 'production', 'canary', 'production'])[i], 'move ' || i);
	END LOOP;
	PERFORM modelreg_update(id, tags => '{}', notes => 'edited', reason => 'typo');
	PERFORM modelreg_register('pre', 'isolation_forest', '2.0.0-rc.1+build.5', 'fraud', '{"f1_score": 1}');
	-- the same bytes in another model
	PERFORM modelreg_register('\x00', 'isolation_forest', '1.0.0', 'Ünï "odd" \ name', '{"loss": -1e-300}');
	PERFORM modelreg_create_model('settings', max_versions => 3, auto_cleanup => true, exclusive_production => false,
		properties => '{"team": "risk"}', tags => '{a}');
	FOR i IN 1..5 LOOP
		PERFORM modelreg_register(convert_to('setting ' || i, 'UTF8'), 'settings', performance_metrics => '{"auc": 1}',
			deployment_stage => CASE WHEN i > 3 THEN 'production' ELSE 'development' END);
	END LOOP;
	PERFORM modelreg_register('old', 'renamed_before', performance_metrics => '{"auc": 1}');
	PERFORM modelreg_rename_model('renamed_before', 'renamed', 'better name');
	-- a directory, of a shared, a new and an empty file
	FOR i IN 1..3 LOOP
		uploads[i] := modelreg_upload_begin();
	END LOOP;
	PERFORM modelreg_upload_append(uploads[1], 'old');
	PERFORM modelreg_upload_append(uploads[2], convert_to(repeat('weights', 100000), 'UTF8'));
	PERFORM modelreg_register_files('{MLmodel,data/model.bin,data/empty}', uploads, 'sklearn', model_name => 'directory', performance_metrics => '{"auc": 1}');
	PERFORM modelreg_set_alias(v.model_id, 'stable') FROM modelreg.model_version AS v WHERE v.model_type = 'renamed_before';
	PERFORM modelreg_register('gone', 'short_lived', performance_metrics => '{"auc": 1}');
	PERFORM modelreg_delete_model('short_lived', reason => 'a test');
	PERFORM modelreg_register('again', 'short_lived', performance_metrics => '{"auc": 1}');
	PERFORM modelreg_set_stage_rule('canary', 'archived', false);
	PERFORM modelreg_set_stage_rule('archived', 'production', true);
	PERFORM modelreg_set_stage_rule('archived', 'production', NULL);
	PERFORM modelreg_set_metric_direction('odd_metric', false);
	SELECT model_id INTO id FROM modelreg_find_latest(model_name => 'renamed');
	UPDATE modelreg.model_version SET deployment_stage = 'archived', notes = 'by hand' WHERE model_id = id;
	DELETE FROM modelreg.model_version WHERE version = '0.1.0' AND model_name = 'fraud';
	UPDATE modelreg.metric_direction SET higher_is_better = true;
END $$;
SQL

	# Stored chunks and bytes behind the last cut, by two transactions; the other
	# upload has a chunk of its own and shares one.
	my ($first, $second) = (noise('unfinished', 200_000), noise('aborted', 100_000));
	$node->safe_psql($database, <<"SQL");
SELECT modelreg_upload_append(modelreg_upload_begin(), $first);
SELECT modelreg_upload_append(upload_id, $first || 'end') FROM modelreg.upload;
DO \$\$
DECLARE
	id uuid := modelreg_upload_begin();
BEGIN
	PERFORM modelreg_upload_append(id, $first || $second);
	COMMIT;
	PERFORM modelreg_upload_abort(id);
END \$\$;
SELECT * FROM modelreg_scrub();
SQL
	return;
}

=head2 noise(seed, size)

An SQL expression: so many bytes that do not shrink, the same for the same seed.

=cut

sub noise
{
	my ($seed, $size) = @_;
	my $blocks = int(($size + 63) / 64);
	return "(SELECT substr(string_agg(sha512(convert_to('$seed ' || n, 'UTF8')), ''), 1, $size) FROM generate_series(1, $blocks) AS n)";
}

=head2 fingerprint(node, database, without)

The number and the MD5 of the rows of each table of schema modelreg, a line a
table; of the table without only the number, as hashing 100 MB takes seconds.

=cut

sub fingerprint
{
	my ($node, $database, $without) = @_;
	$without //= '';
	return $node->safe_psql($database, <<"SQL");
SET timezone = 'UTC';
SELECT format('SELECT %L, count(*), ', relname) || CASE relname WHEN '$without' THEN '''''' ELSE 'md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C"))' END
	|| format(' FROM modelreg.%I AS t', relname)
FROM pg_class
WHERE relnamespace = 'modelreg'::regnamespace AND relkind = 'r'
ORDER BY relname
\\gexec
SQL
}

=head2 problems(node, database)

What modelreg_verify, modelreg_audit_verify and modelreg_check complain about,
a line each; empty if all is well.

=cut

sub problems
{
	my ($node, $database) = @_;
	return $node->safe_psql($database, <<'SQL');
SELECT format('version %s: %s', model_id, problem) FROM modelreg_verify() WHERE NOT ok
UNION ALL
SELECT format('chain of %s, event %s: %s', model_name, first_bad_seq, problem) FROM modelreg_audit_verify() WHERE NOT ok
UNION ALL
SELECT format('%s: %s', item, detail) FROM modelreg_check() WHERE NOT ok
SQL
}

=head2 sqlstate(node, database, sql, option => value, ...)

The SQLSTATE of the error with which the statements fail, or '' if they do not.
The options are those of PostgreSQL::Test::Cluster's psql.

=cut

sub sqlstate
{
	my ($node, $database, $sql, %options) = @_;
	my ($status, $stdout, $stderr) =
	  $node->psql($database, "\\set VERBOSITY sqlstate\n$sql", %options);
	return $1 if $stderr =~ /(?:ERROR|FATAL|PANIC):\s+([0-9A-Z]{5})/;
	return $status ? "psql failed: $stderr" : '';
}

=head2 rot(node, database, seed)

Stop the server, change a byte of what noise(seed, ...) made in its file, which must
be stored as it is and have some 130 kB, and start it again.

=cut

sub rot
{
	my ($node, $database, $seed) = @_;
	my $file = $node->data_dir . '/'
	  . $node->safe_psql($database, q{SELECT pg_relation_filepath('modelreg.chunk_piece')});
	$node->stop;
	my $bytes = slurp_file($file);
	# one of them may be on two pages
	my ($at) = grep { $_ >= 0 } map { index($bytes, sha512("$seed $_")) } 2000, 2001;
	die "the bytes are not in $file\n" unless defined $at;
	open(my $handle, '+<:raw', $file) or die "$file: $!\n";
	seek($handle, $at, 0);
	print $handle chr(ord(substr($bytes, $at, 1)) ^ 1);
	close $handle;
	$node->start;
	return;
}

1;
