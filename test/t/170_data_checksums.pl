# Damage that PostgreSQL itself finds, by its data checksums: it is reported like
# any other, and healed once PostgreSQL is told to read the page all the same.
use strict;
use warnings;

use ModelregTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = ModelregTest::node('main', init => [ extra => ['--data-checksums'] ]);
my $bytes = ModelregTest::noise('the victim', 300_000);
my $register = "SELECT model_id FROM modelreg_register($bytes, 'victim', performance_metrics => '{\"auc\": 1}')";
my $anyway = 'SET ignore_checksum_failure = on; SET client_min_messages = error; ';

$node->safe_psql('postgres', "ALTER DATABASE postgres SET modelreg.compression = none");
my $victim = $node->safe_psql('postgres', $register);
$node->safe_psql('postgres', q{SELECT modelreg_register('whole', 'other', performance_metrics => '{"auc": 1}')});
ModelregTest::rot($node, 'postgres', 'the victim');

is(ModelregTest::sqlstate($node, 'postgres', "SELECT modelreg_load('$victim')"), 'XX001', 'the load fails');
my $verify = q{SELECT split_part(model_id, '_', 1), ok, problem FROM modelreg_verify() ORDER BY 1};
like($node->safe_psql('postgres', $verify), qr/\Aother\|t\|\nvictim\|f\|invalid page in block \d+ of relation .*\z/,
	'modelreg_verify names it, and goes on');
is($node->safe_psql('postgres', 'SET client_min_messages = error; SELECT artifacts, damaged FROM modelreg_scrub()'), '2|1',
	'so does modelreg_scrub');
like($node->safe_psql('postgres', 'SELECT problem FROM modelreg.artifact_health WHERE NOT ok'), qr/\Ainvalid page in block/,
	'and its view');

is(ModelregTest::sqlstate($node, 'postgres', $register), 'XX001', 'what cannot be read cannot be compared');
$node->safe_psql('postgres', $anyway . $register);
is($node->safe_psql('postgres', "SELECT sha256(modelreg_load('$victim')) = sha256($bytes)"), 't', 'healed');
$node->safe_psql('postgres', $anyway . 'CALL modelreg_cleanup()');
is($node->safe_psql('postgres', $verify), "other|t|\nvictim|t|\nvictim|t|", 'modelreg_verify finds nothing any more');
is($node->safe_psql('postgres', 'SELECT count(*) FROM modelreg.discarded_content'), '0', 'the damaged chunk is gone');

# An upload that another session goes on with, too.
my $uploaded = ModelregTest::noise('the upload', 300_000);
my $upload = $node->safe_psql('postgres', 'SELECT modelreg_upload_begin()');
$node->safe_psql('postgres', "SELECT modelreg_upload_append('$upload', $uploaded)");
ModelregTest::rot($node, 'postgres', 'the upload');
my (undef, undef, $said) = $node->psql('postgres', "SELECT modelreg_upload_append('$upload', 'x')");
like($said, qr/ERROR:  upload "$upload" is damaged$/m, 'an append says that the upload is damaged');
like($said, qr/^DETAIL:  Damage found: invalid page in block \d+ of relation/m, '... with what PostgreSQL found');
my ($sound) = $said =~ /^HINT:  Go on with byte_offset (\d+), which drops/m;
ok($sound > 0 && $sound < 300_000, '... and the hint says from where to go on');
my $rest = "SELECT modelreg_upload_append('$upload', substring($uploaded FROM $sound + 1), $sound)";
is(ModelregTest::sqlstate($node, 'postgres', $rest), 'XX001', 'what cannot be read cannot be compared');
is($node->safe_psql('postgres', $anyway . $rest), '300000', '... and if PostgreSQL is told to read it, the append goes on');
my $uploaded_id = $node->safe_psql('postgres',
	"SELECT model_id FROM modelreg_register_upload('$upload', 'uploaded', performance_metrics => '{\"auc\": 1}')");
is($node->safe_psql('postgres', "SELECT modelreg_load('$uploaded_id') = $uploaded"), 't', '... and what is registered is right');

$node->stop;
done_testing();
