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

$node->stop;
done_testing();
