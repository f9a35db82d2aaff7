# Owners are roles, whatever these are called, and wherever the registry goes: a
# dump into the same cluster and into others, with the roles and without, a
# subscriber, pg_upgrade.
use strict;
use warnings;

use ModelregTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = ModelregTest::node('main', init => [ allows_streaming => 'logical' ]);
my $elsewhere = ModelregTest::node('elsewhere', extension => 0);
my $dumps = PostgreSQL::Test::Utils::tempdir();
my @hostile = ('16384', '-', "it's \"Ümläut\"\\", 'CamelCase');

# ---- Something of everybody's ----------------------------------------------------

# kept: stays; renamed: is old_name now, and its old name is another role's;
# dropped: is gone; recreated: is gone, and its name is another role's
for my $role (qw(kept renamed dropped recreated), @hostile)
{
	create($node, $role);
	registers($node, 'postgres', $role);
}
$node->safe_psql('postgres', 'ALTER ROLE renamed RENAME TO new_name; DROP ROLE dropped; DROP ROLE recreated');
create($node, $_) for qw(renamed recreated);

my $shown = join "\n", map { "$_->[0]|$_->[1]" } sort { $a->[0] cmp $b->[0] }
  [ 'of kept', 'kept' ], [ 'of renamed', 'new_name' ], [ 'of dropped', 'dropped' ],
  [ 'of recreated', 'recreated' ], map { [ "of $_", $_ ] } @hostile;
is(owners($node, 'postgres'), $shown, 'owners');
is(uploaders($node, 'postgres'), $shown, 'owners of uploads');
is(ModelregTest::problems($node, 'postgres'), '', 'sound');
is(may($node, 'postgres', $_, "of $_"), 't', "$_ edits what it registered") for 'kept', @hostile;
is(may($node, 'postgres', 'new_name', 'of renamed'), 't', 'a renamed role still does');
is(may($node, 'postgres', 'renamed', 'of renamed'), 'f', '... and whoever has its old name does not');
is(may($node, 'postgres', 'recreated', 'of recreated'), 'f', 'nor does a new role of a dropped one\'s name');

# Who may log in, and register
sub create
{
	my ($to, $role) = @_;
	$to->safe_psql('postgres', format_sql('CREATE ROLE %I LOGIN', $role));
	$to->safe_psql('postgres', format_sql('GRANT modelreg_writer TO %I', $role))
	  if $to->safe_psql('postgres', q{SELECT count(*) FROM pg_roles WHERE rolname = 'modelreg_writer'});
	return;
}

# The SQL with the role's name in it
sub format_sql
{
	my ($sql, $role) = @_;
	(my $identifier = $role) =~ s/"/""/g;
	(my $literal = $role) =~ s/'/''/g;
	$sql =~ s/%I/"$identifier"/g;
	$sql =~ s/%L/'$literal'/g;
	return $sql;
}

sub registers
{
	my ($to, $database, $role) = @_;
	$to->safe_psql($database, format_sql(<<'SQL', $role));
SET standard_conforming_strings = on;
SET ROLE %I;
SELECT FROM modelreg_register('bytes', 'm', notes => 'of ' || %L, performance_metrics => '{"f1": 1}');
SELECT modelreg_upload_append(modelreg_upload_begin(), convert_to('of ' || %L, 'UTF8'));
SQL
	return;
}

sub owners
{
	my ($in, $database) = @_;
	return $in->safe_psql($database, q{SELECT notes, owner FROM modelreg.model_version ORDER BY notes COLLATE "C"});
}

sub uploaders
{
	my ($in, $database) = @_;
	return $in->safe_psql($database, q{SELECT 'of ' || created_by, owner FROM modelreg.upload ORDER BY created_by COLLATE "C"});
}

# Whether the role may edit the version of these notes: t or f
sub may
{
	my ($in, $database, $role, $notes) = @_;
	my $sqlstate = ModelregTest::sqlstate($in, $database, format_sql('BEGIN; SET LOCAL ROLE %I;', $role)
		  . format_sql(' SELECT modelreg_update(model_id, tags => \'{seen}\') FROM modelreg.model_version WHERE notes = %L;', $notes)
		  . ' ROLLBACK');
	return { '' => 't', '42501' => 'f' }->{$sqlstate} // $sqlstate;
}

# Roles are shared by databases of all encodings; text is not.
$node->safe_psql('postgres', q{CREATE DATABASE latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0});
$node->safe_psql('latin1', q{SET client_encoding = 'UTF8'; CREATE ROLE "other encoding: é"});
is($node->safe_psql('postgres', q{SELECT rolname::modelreg.role_ref, (rolname::modelreg.role_ref)::regrole = oid FROM pg_roles WHERE rolname ^@ 'other'}),
	'other encoding: ?|t', 'what is no text in this encoding');
$node->safe_psql('latin1', q{SET client_encoding = 'UTF8'; DROP ROLE "other encoding: é"});
$node->safe_psql('postgres', 'DROP DATABASE latin1');

# ---- Dump and restore --------------------------------------------------------------

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dumps/dump", '-d', 'postgres' ], 'dump');

sub restore
{
	my ($to, $database) = @_;
	$to->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0");
	$to->command_ok([ 'pg_restore', '--exit-on-error', '-d', $database, "$dumps/dump" ], "restore: $database");
	is(owners($to, $database), $shown, "$database: owners");
	is(uploaders($to, $database), $shown, "$database: owners of uploads");
	return;
}

# The trail of another cluster knows a role by the name that it was recorded with:
# of a rename it knows nothing.  What it says is true, and an admin can put the
# present name on record.
sub only_rename_unknown
{
	my ($in, $database) = @_;
	like(ModelregTest::problems($in, $database), qr/\Achain of m, event \d+: version "[^"]*" differs from the trail in: owner\z/,
		"$database: only the rename is not in the trail");
	return;
}

restore($node, 'same_cluster');
is(ModelregTest::problems($node, 'same_cluster'), '', 'same cluster: sound');
is(may($node, 'same_cluster', 'new_name', 'of renamed'), 't', 'same cluster: who was renamed still owns');
is(may($node, 'same_cluster', 'renamed', 'of renamed'), 'f', '... and nobody else');

restore($elsewhere, 'without_roles');
only_rename_unknown($elsewhere, 'without_roles');
is($elsewhere->safe_psql('without_roles', 'SELECT count(owner::regrole) FROM modelreg.model_version'), '0', 'nobody\'s');
create($elsewhere, $_) for qw(kept new_name), @hostile;
is(may($elsewhere, 'without_roles', 'kept', 'of kept'), 'f', 'a role that comes later owns nothing');
for my $role (qw(kept new_name), @hostile)
{
	is($elsewhere->safe_psql('without_roles', format_sql('SELECT modelreg_reassign(%L, %L, \'restored\')', $role)), '2', "until an admin says so: $role");
}
is(may($elsewhere, 'without_roles', $_, "of $_"), 't', "then it does: $_") for 'kept', @hostile;
is(ModelregTest::problems($elsewhere, 'without_roles'), '', 'without roles, reassigned: sound');

restore($elsewhere, 'with_roles');
only_rename_unknown($elsewhere, 'with_roles');
is(may($elsewhere, 'with_roles', $_, "of $_"), 't', "a role that was there owns: $_") for 'kept', @hostile;
is(may($elsewhere, 'with_roles', 'new_name', 'of renamed'), 't', 'by its present name');
is($elsewhere->safe_psql('with_roles', q{SELECT modelreg_reassign('new_name', 'new_name', 'was called renamed')}), '0',
	'it was resolved');
$node->safe_psql('postgres', q{SELECT modelreg_reassign('new_name', 'new_name', 'was called renamed')});
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dumps/dump", '-d', 'postgres' ], 'dump after the rename was recorded');
restore($elsewhere, 'recorded');
is(ModelregTest::problems($elsewhere, 'recorded'), '', 'recorded: sound');

# ---- Logical replication -------------------------------------------------------------

for my $binary ('false', 'true')
{
	my $database = "subscriber_$binary";
	my $connection = $node->connstr . ' dbname=postgres';
	$elsewhere->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0");
	$elsewhere->safe_psql($database, 'CREATE EXTENSION modelreg');
	$node->safe_psql('postgres', "CREATE PUBLICATION $database FOR ALL TABLES");
	$elsewhere->safe_psql($database, "CREATE SUBSCRIPTION $database CONNECTION '$connection' PUBLICATION $database WITH (binary = $binary)");
	$elsewhere->wait_for_subscription_sync($node, $database, $database);
	is(owners($elsewhere, $database), $shown, "$database: initial copy");
	create($node, "late_$binary");
	registers($node, 'postgres', "late_$binary");
	$node->safe_psql('postgres', qq{SELECT modelreg_reassign('kept', 'late_$binary')});
	$node->wait_for_catchup($database);
	is(owners($elsewhere, $database), owners($node, 'postgres'), "$database: changes");
	is(ModelregTest::problems($elsewhere, $database), '', "$database: sound");
	is(ModelregTest::sqlstate($elsewhere, $database, q{UPDATE modelreg.model_version SET owner = 'new_name'}), '42501', "$database: guarded");
	$elsewhere->safe_psql($database, "DROP SUBSCRIPTION $database");
	$node->safe_psql('postgres', qq{DROP PUBLICATION $database; SELECT modelreg_reassign('late_$binary', 'kept')});
	$shown = owners($node, 'postgres');
}
$elsewhere->stop;

# ---- pg_upgrade, to the same version and to newer ones ----------------------------------

# Not to 18: it finds a staged library by extension_control_path, which pg_upgrade's
# look-up of libraries does not use; and 15.20 of Debian 12 marks columns with an
# option (pg_attver) that 18.6 refuses, of any table.

my $expected = owners($node, 'postgres') . uploaders($node, 'postgres');
my ($major) = $node->pg_version =~ /^(\d+)/;
chomp(my $bindir = `pg_config --bindir`);
$node->stop;
my @targets = ([ 'same' ], map { [ "pg$_->{major}", server => $_ ] } grep { $_->{major} > $major && $_->{major} < 18 } ModelregTest::other_servers());
for my $target (@targets)
{
	my ($name, @options) = @$target;
	my $new_bindir = @options ? $options[1]{bindir} : $bindir;
	my $new = ModelregTest::node("upgraded_$name", @options, start => 0);
	my $directory = PostgreSQL::Test::Utils::tempdir();
	chdir $directory or die "$directory: $!\n";
	command_ok([ "$new_bindir/pg_upgrade", '--no-sync', '-d', $node->data_dir, '-D', $new->data_dir, '-b', $bindir, '-B', $new_bindir,
			'-s', $new->host, '-p', $node->port, '-P', $new->port ], "pg_upgrade: $name");
	$new->start;
	is(owners($new, 'postgres') . uploaders($new, 'postgres'), $expected, "$name: owners");
	is(may($new, 'postgres', $_, "of $_"), 't', "$name: $_ owns what it did") for 'kept', @hostile;
	is(may($new, 'postgres', 'new_name', 'of renamed'), 't', "$name: so does the renamed one");
	is(may($new, 'postgres', $_, "of $_"), 'f', "$name: not who has a name of before: $_") for qw(renamed recreated);
	is(ModelregTest::problems($new, 'postgres'), '', "$name: sound");
	$new->stop;
}

done_testing();
