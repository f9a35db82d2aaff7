# Databases whose locale has other rules for upper and lower case (Turkish, Azeri)
# or other order (Lithuanian): the regression tests give the same results there.
use strict;
use warnings;

use Cwd qw(getcwd);
use ModelregTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = ModelregTest::node('main', extension => 0);

# Those that work with names, stages, metrics, roles and the catalog.
my @tests = qw(install alias collation compare find history model register
  register_bad roles semver settings stage update);

# What pg_regress sets for a database that it creates itself.
my %settings = (
	lc_messages => 'C', lc_monetary => 'C', lc_numeric => 'C', lc_time => 'C',
	bytea_output => 'hex', timezone_abbreviations => 'Default');

for my $locale ('tr-TR', 'az-AZ', 'lt')
{
	my $create = "CREATE DATABASE contrib_regression TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE '$locale'";
	if (ModelregTest::sqlstate($node, 'postgres', $create) eq '0A000')
	{
		plan skip_all => 'the server is built without ICU';
	}
	is($node->safe_psql('contrib_regression', q{SELECT upper('i') = 'I', lower('I') = 'i'}),
		$locale eq 'lt' ? 't|t' : 'f|f', "$locale: the database has its rules");
	$node->safe_psql('postgres', join ';', map { "ALTER DATABASE contrib_regression SET $_ = '$settings{$_}'" } sort keys %settings);
	$node->safe_psql('contrib_regression', 'CREATE EXTENSION modelreg');
	my $out = "$PostgreSQL::Test::Utils::tmp_check/$locale";
	mkdir $out;
	# pg_regress looks for it there first
	symlink getcwd() . '/expected', "$out/expected" or die "cannot link to expected: $!\n";
	my ($stdout, $stderr);
	my $ok = IPC::Run::run([
		$ENV{PG_REGRESS}, '--use-existing', '--inputdir=test', "--outputdir=$out",
		'--bindir=', '--host=' . $node->host, '--port=' . $node->port,
		'--dbname=contrib_regression', @tests ], '>', \$stdout, '2>', \$stderr);
	ok($ok, "$locale: the regression tests pass") or do {
		diag($stdout . $stderr);
		diag(slurp_file("$out/regression.diffs")) if -e "$out/regression.diffs";
	};
	$node->safe_psql('postgres', 'DROP DATABASE contrib_regression');
}

$node->stop;
done_testing();
