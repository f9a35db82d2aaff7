# A build without lz4 and zstd on a registry that has artifacts compressed with
# them: it reads what it can, says what it cannot, and breaks nothing.
use strict;
use warnings;

use File::Copy qw(copy);
use ModelregTest;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

my $full_stage = $ENV{MODELREG_STAGE};
plan skip_all => 'needs a staged build, to make another beside it (make test)'
  unless defined $full_stage;

# ---- The builds ------------------------------------------------------------------------

# The tree without what was compiled from it, which make would take over.
my $tree = PostgreSQL::Test::Utils::tempdir();
my $stage = "$tree/stage";
PostgreSQL::Test::RecursiveCopy::copypath($_, "$tree/$_", filterfn => sub { $_[0] !~ /\.(?:o|so|bc)$/ })
  for qw(src sql docs);
copy($_, "$tree/$_") or die "$_: $!\n" for qw(Makefile modelreg.control);
my @make = ('make', '-s', '-C', $tree, '-j2', "PG_CONFIG=$ENV{PG_CONFIG}",
	qw(WERROR=1 ASSERT=1 WITH_LZ4=no WITH_ZSTD=no with_llvm=no));
command_ok([ @make, 'all' ], 'it compiles without lz4 and zstd, and without warnings');
command_ok([ @make, 'install', "DESTDIR=$stage" ], 'and installs');

my $full = ModelregTest::settings($full_stage);
my $lean = $full =~ s/\Q$full_stage\E/$stage/gr;
my $node = ModelregTest::node('main');
if ($node->safe_psql('postgres', q{SELECT enumvals @> '{lz4,zstd}' FROM pg_settings WHERE name = 'modelreg.compression'}) ne 't')
{
	note('the build under test has not both of them either');
	$node->stop;
	done_testing();
	exit 0;
}

# Go on with the other build.
sub switch_to
{
	my ($settings) = @_;
	$node->append_conf('postgresql.conf', $settings);
	$node->restart;
	return;
}

# ---- Artifacts of all codecs --------------------------------------------------------------

# Each has a text that shrinks, of three chunks or more, and the last one noise,
# which none compresses.
my %bytes = (map { $_ => "(SELECT convert_to(string_agg(format('$_ weight %s = 0.%s', n, n * 7919 % 9973), chr(10)), 'UTF8') FROM generate_series(1, 20000) AS n)" } qw(none lz4 zstd));
$bytes{noise} = ModelregTest::noise('codecs', 300_000);
my @names = sort keys %bytes;
for my $name (@names)
{
	my $codec = $name eq 'noise' ? 'zstd' : $name;
	$node->safe_psql('postgres', "SET modelreg.compression = $codec; " . register($name));
}
is($node->safe_psql('postgres', <<'SQL'), "lz4|1\nnoise|0\nnone|0\nzstd|2", 'the artifacts are stored with their codecs');
SELECT DISTINCT model_name, codec
FROM modelreg.model_version
JOIN modelreg.artifact ON sha256 = decode(checksum, 'hex')
JOIN modelreg.artifact_chunk USING (content)
JOIN modelreg.chunk USING (chunk)
ORDER BY model_name
SQL
my $upload = $node->safe_psql('postgres', 'SELECT modelreg_upload_begin()');
$node->safe_psql('postgres', "SET modelreg.compression = zstd; SELECT modelreg_upload_append('$upload', $bytes{zstd} || $bytes{lz4})");

sub register
{
	my ($name) = @_;
	return "SELECT modelreg_register($bytes{$name}, '$name', performance_metrics => '{\"auc\": 1}')";
}

sub id { return "(SELECT model_id FROM modelreg_list(model_name => '$_[0]') WHERE version = '0.1.0')" }

# All of the bytes and who refers to them.
sub byte_tables
{
	return join("\n", grep { /^(?:artifact|chunk|discarded)/ } split /\n/, ModelregTest::fingerprint($node, 'postgres'));
}

my $before = byte_tables();

# ---- Without them ------------------------------------------------------------------------

switch_to($lean);
is($node->safe_psql('postgres', q{SELECT enumvals, setting FROM pg_settings WHERE name = 'modelreg.compression'}), '{none}|none', 'there is no codec but none');
for my $codec ('lz4', 'zstd')
{
	is(ModelregTest::sqlstate($node, 'postgres', "SET modelreg.compression = $codec"), '22023', "compression = $codec is refused");
	my (undef, undef, $error) = $node->psql('postgres', "SET modelreg.compression = $codec");
	like($error, qr/HINT:  Available values: none\./, '... with what there is as hint');
}
is(ModelregTest::sqlstate($node, 'postgres', 'SET modelreg.compression = none'), '', 'compression = none is not');

for my $name ('none', 'noise')
{
	is($node->safe_psql('postgres', "SELECT modelreg_load(${\id($name)}) = $bytes{$name}"), 't', "$name: loads");
	is($node->safe_psql('postgres', "SELECT string_agg(d, '') = $bytes{$name} FROM (SELECT modelreg_download(${\id($name)}, piece_size => 100000)) AS p (d)"), 't', "$name: downloads");
}
for my $name ('lz4', 'zstd')
{
	for my $sql ("SELECT modelreg_load(${\id($name)})", "SELECT count(*) FROM modelreg_load_latest(model_name => '$name')",
		"SELECT modelreg_load(${\id($name)}, false)", "SELECT length(modelreg_download(${\id($name)}))", "SELECT length(modelreg_download(${\id($name)}, 100000, 10))")
	{
		is(ModelregTest::sqlstate($node, 'postgres', $sql), '0A000', "$name: 0A000: $sql");
		my (undef, undef, $error) = $node->psql('postgres', $sql);
		like($error, qr/^DETAIL:.* $name\b.*^HINT:  Build modelreg with lz4 and zstd\.$/ms, '... with the hint');
	}
}
is(ModelregTest::sqlstate($node, 'postgres', "SELECT modelreg_upload_append('$upload', 'more')"), '0A000', 'so is an append to what it cannot read');

# Not read is not damaged, but it is not well either.
is($node->safe_psql('postgres', q{SELECT split_part(model_id, '_', 1), ok, problem IS NOT NULL FROM modelreg_verify() WHERE model_id IS NOT NULL ORDER BY 1}),
	"lz4|f|t\nnoise|t|f\nnone|t|f\nzstd|f|t", 'modelreg_verify tells what it cannot read');
like($node->safe_psql('postgres', "SELECT problem FROM modelreg_verify(${\id('zstd')})"), qr/zstd/, '... and why');
is($node->safe_psql('postgres', 'SELECT artifacts, damaged FROM modelreg_scrub()'), '4|0', 'modelreg_scrub calls none damaged');
is($node->safe_psql('postgres', q{SELECT item, detail LIKE '%built without lz4 or zstd%' FROM modelreg_check() WHERE NOT ok}), 'compression|t', 'modelreg_check says what is missing');

# The right bytes again: whether those stored are whole cannot be told, so they
# stay.
for my $name (@names)
{
	is($node->safe_psql('postgres', "SELECT v.version FROM modelreg_register($bytes{$name}, '$name', performance_metrics => '{\"auc\": 1}') AS v"), '0.2.0', "$name: the same bytes are registered again");
}
$node->safe_psql('postgres', <<"SQL");
DO \$\$
DECLARE
	id uuid := modelreg_upload_begin();
BEGIN
	PERFORM modelreg_upload_append(id, $bytes{zstd});
	PERFORM modelreg_register_upload(id, 'zstd', performance_metrics => '{"auc": 1}');
END \$\$;
SQL
is($node->safe_psql('postgres', q{SELECT count(*) FROM modelreg.audit_event WHERE event = 'repair'}), '0', '... which is no repair');
$node->safe_psql('postgres', 'CALL modelreg_cleanup()');
# the checks were not there before
my $after = byte_tables() =~ s/^artifact_check.*$/artifact_check|0|/mr;
is($after, $before, '... and changes nothing');

# ---- With them again ------------------------------------------------------------------------

switch_to($full);
is($node->safe_psql('postgres', "SELECT modelreg_load(model_id) = CASE model_name " . join(' ', map { "WHEN '$_' THEN $bytes{$_}" } @names) . ' END, count(*) FROM modelreg.model_version GROUP BY 1'),
	't|9', 'all load with the full build');
is($node->safe_psql('postgres', "SELECT artifact_size = length($bytes{zstd} || $bytes{lz4}) FROM modelreg_register_upload('$upload', 'uploaded', performance_metrics => '{\"auc\": 1}')"),
	't', 'the upload is registered');
is(ModelregTest::problems($node, 'postgres'), '', 'the registry is sound');

$node->stop;
done_testing();
