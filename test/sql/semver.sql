--
-- Semantic Versioning 2.0.0: what is a version, and which comes first
--

-- The valid versions of the test list that semver.org points to: all are
SELECT count(*) AS cases, count(*) FILTER (WHERE NOT modelreg.semver_valid(v)) AS wrong
FROM unnest(ARRAY[
	'0.0.4', '1.2.3', '10.20.30', '1.1.2-prerelease+meta', '1.1.2+meta',
	'1.1.2+meta-valid', '1.0.0-alpha', '1.0.0-beta', '1.0.0-alpha.beta',
	'1.0.0-alpha.beta.1', '1.0.0-alpha.1', '1.0.0-alpha0.valid',
	'1.0.0-alpha.0valid',
	'1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay',
	'1.0.0-rc.1+build.1', '2.0.0-rc.1+build.123', '1.2.3-beta',
	'10.2.3-DEV-SNAPSHOT', '1.2.3-SNAPSHOT-123', '1.0.0', '2.0.0', '1.1.7',
	'2.0.0+build.1848', '2.0.1-alpha.1227', '1.0.0-alpha+beta',
	'1.2.3----RC-SNAPSHOT.12.9.1--.12+788', '1.2.3----R-S.12.9.1--.12+meta',
	'1.2.3----RC-SNAPSHOT.12.9.1--.12', '1.0.0+0.build.1-rc.10000aaa-kk-0.1',
	'99999999999999999999999.999999999999999999.99999999999999999',
	'1.0.0-0A.is.legal']) AS v;

-- The examples in the text of the specification
SELECT count(*) AS cases, count(*) FILTER (WHERE NOT modelreg.semver_valid(v)) AS wrong
FROM unnest(ARRAY[
	'0.1.0', '1.9.0', '1.10.0', '1.11.0', '1.0.0-0.3.7', '1.0.0-x.7.z.92',
	'1.0.0-x-y-z.--', '1.0.0-alpha+001', '1.0.0+20130313144700',
	'1.0.0-beta+exp.sha.5114f85', '1.0.0+21AF26D3----117B344092BD']) AS v;

-- The invalid versions of the test list: none is
SELECT count(*) AS cases, count(*) FILTER (WHERE modelreg.semver_valid(v)) AS wrong
FROM unnest(ARRAY[
	'1', '1.2', '1.2.3-0123', '1.2.3-0123.0123', '1.1.2+.123', '+invalid',
	'-invalid', '-invalid+invalid', '-invalid.01', 'alpha', 'alpha.beta',
	'alpha.beta.1', 'alpha.1', 'alpha+beta', 'alpha_beta', 'alpha.', 'alpha..',
	'beta', '1.0.0-alpha_beta', '-alpha.', '1.0.0-alpha..', '1.0.0-alpha..1',
	'1.0.0-alpha...1', '1.0.0-alpha....1', '1.0.0-alpha.....1',
	'1.0.0-alpha......1', '1.0.0-alpha.......1', '01.1.1', '1.01.1', '1.1.01',
	'1.2.3.DEV', '1.2-SNAPSHOT', '1.2.31.2.3----RC-SNAPSHOT.12.09.1--..12+788',
	'1.2-RC-SNAPSHOT', '-1.0.3-gamma+b7718', '+justmeta', '9.8.7+meta+meta',
	'9.8.7-whatever+meta+meta',
	'99999999999999999999999.999999999999999999.99999999999999999----RC-SNAPSHOT.12.09.1--------------------------------..12']) AS v;

-- Other near misses, among them letters, digits and a minus beyond ASCII
SELECT count(*) AS cases, count(*) FILTER (WHERE modelreg.semver_valid(v)) AS wrong
FROM unnest(ARRAY[
	'', ' ', 'v1.0.0', 'V1.0.0', '=1.0.0', ' 1.0.0', '1.0.0 ', E'1.0.0\n',
	E'1.0.0\t', '1. 0.0', '1..0', '.1.0', '1.0.', '1.0.0.', '1.0.0.0', '1,0,0',
	'1.0.0-', '1.0.0+', '1.0.0-+', '1.0.0-+b', '1.0.0-a+', '1.0.0-.a',
	'1.0.0-a.', '1.0.0+a.', '1.0.0+a..b', '1.0.0-00', '1.0.0-a.00', '00.0.0',
	'1.x.0', '1.*', '-1.0.0', '+1.0.0', '1.-1.0', '1.0.0~rc1', '0x1.0.0',
	'1e3.0.0', '1.0.0-a/b', '1.0.0-a:b', '1.0.0-a@b', '1.0.0-a[b', '1.0.0-a`b',
	'1.0.0-a{b', '1.0.0-é', '1.0.0+é', '１.0.0', '1.٢.0', '1.0.0−rc.1',
	'1.0.0-β.1', 'é1.0.0']) AS v;

-- Length: 255 bytes at most
SELECT octet_length(v) AS bytes, modelreg.semver_valid(v)
FROM unnest(ARRAY[
	'1.0.0-' || repeat('a', 249), '1.0.0-' || repeat('a', 250),
	'1.0.0+' || repeat('0', 249), '1.0.0+' || repeat('0', 250),
	repeat('9', 251) || '.0.0', repeat('9', 252) || '.0.0',
	repeat('1', 1000000)]) AS v;

-- Precedence: each version of this list precedes all that come after it.  It
-- holds the two chains of the specification.
WITH chain AS (
	SELECT * FROM unnest(ARRAY[
		'0.0.0-0', '0.0.0', '0.0.1', '0.1.0', '0.9.0', '0.10.0',
		'1.0.0-0', '1.0.0-0.0', '1.0.0-1', '1.0.0-2', '1.0.0-10',
		'1.0.0-9223372036854775807', '1.0.0-9223372036854775808',
		'1.0.0-' || repeat('9', 200), '1.0.0-1' || repeat('0', 200),
		'1.0.0--', '1.0.0--1', '1.0.0-0A', '1.0.0-10a', '1.0.0-9a', '1.0.0-ALPHA',
		'1.0.0-Z', '1.0.0-a',
		'1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.1.0', '1.0.0-alpha.2',
		'1.0.0-alpha.beta', '1.0.0-alpha-1', '1.0.0-alpha1', '1.0.0-beta',
		'1.0.0-beta.2', '1.0.0-beta.11', '1.0.0-rc.1', '1.0.0', '1.0.1-rc.1',
		'1.9.0', '1.10.0', '1.11.0', '2.0.0', '2.1.0', '2.1.1',
		'9223372036854775807.0.0', '9223372036854775808.0.0',
		'18446744073709551616.0.0',
		repeat('9', 80) || '.' || repeat('9', 80) || '.' || repeat('9', 80),
		'1' || repeat('0', 80) || '.0.0',
		repeat('8', 199) || '8.0.0', repeat('8', 199) || '9.0.0'])
	WITH ORDINALITY AS t (v, n))
SELECT count(*) AS pairs, count(*) FILTER (
	WHERE modelreg.semver_compare(a.v, b.v) <> sign(a.n - b.n)) AS wrong
FROM chain AS a, chain AS b;

-- Build metadata does not count
SELECT modelreg.semver_compare('1.0.0+20130313144700', '1.0.0') AS release,
	modelreg.semver_compare('1.0.0+a.b', '1.0.0+z') AS both,
	modelreg.semver_compare('1.0.0-rc.1+9', '1.0.0-rc.1+10') AS prerelease,
	modelreg.semver_compare('1.0.0-rc.1+zzz', '1.0.0') AS differs;

-- The next minor version
SELECT v, modelreg.semver_next_minor(v)
FROM unnest(ARRAY[
	'0.0.0', '0.1.0', '1.4.2', '1.4.2-rc.1+build.5', '1.5.0-alpha', '1.8.9',
	'1.9.0', '1.19.0', '1.99.7', '1.109.0', '3.1999.0',
	'1.9223372036854775807.0', '1.18446744073709551615.0']) AS v;
-- with hundreds of digits
SELECT modelreg.semver_next_minor('7.' || repeat('9', 240) || '.3')
	= '7.1' || repeat('0', 240) || '.0' AS carried,
	modelreg.semver_next_minor(repeat('9', 120) || '.' || repeat('9', 119) || '8.5')
	= repeat('9', 120) || '.' || repeat('9', 120) || '.0' AS counted;
-- no longer than a version may be
SELECT octet_length(v) AS bytes,
	octet_length(modelreg.semver_next_minor(v)) AS next_bytes
FROM unnest(ARRAY[
	'0.' || repeat('9', 250) || '.0', '0.' || repeat('9', 251) || '.0',
	'0.' || repeat('8', 251) || '.0', '1.9.0-' || repeat('a', 249)]) AS v;

-- NULL in, NULL out
SELECT modelreg.semver_valid(NULL) IS NULL AS valid,
	modelreg.semver_compare('1.0.0', NULL) IS NULL
	AND modelreg.semver_compare(NULL, 'v1') IS NULL AS compare,
	modelreg.semver_next_minor(NULL) IS NULL AS next_minor;

-- What an error says
SELECT modelreg.semver_compare('1.0.0', 'v1.0.0'); -- error
SELECT modelreg.semver_next_minor(''); -- error
SELECT modelreg.semver_next_minor('1.0.0-' || repeat('a', 250)); -- error
SELECT modelreg.semver_compare(repeat('1', 1000000), '1.0.0'); -- error

-- and its code
\set VERBOSITY sqlstate
SELECT modelreg.semver_compare('1.0', '1.0.0'); -- error
SELECT modelreg.semver_compare('1.0.0', '1.0'); -- error
SELECT modelreg.semver_next_minor('1.01.0'); -- error
SELECT modelreg.semver_next_minor('1.0.0-é'); -- error
SELECT modelreg.semver_next_minor(repeat('9', 252) || '.0.0'); -- error
