
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
	$node->init(@{ $options{init} // [] });
	$node->append_conf('postgresql.conf',
		settings($server ? $server->{stage} : $ENV{MODELREG_STAGE}));
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

1;
