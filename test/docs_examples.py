#!/usr/bin/env python3
"""Run the examples of README.md and docs/*.md; print TAP.

A page's blocks run in order, the ```sql ones in one psql session, the
```python ones in one interpreter and each of the ```bash ones in a shell of its
own, on a database of the page's own (with the extension, unless the page itself
creates it).  psql and the shells have one directory.

  ```sql … -- error: 55006    these errors, in this order, and no others, are
                              expected of the block
  ```bash … # exit: 3         it ends with this code; else with 0
  ```text right after it      what it prints; "…" stands for anything in a line,
                              or alone for any lines; columns may be of any
                              width, and ids and timestamps have any time
  <!-- not run: reason -->    above a block: it is skipped

A page with CREATE EXTENSION pg_cron runs in the database that pg_cron works in.
Further tests see that docs/sql-api.md leaves nothing out and that links lead
somewhere.  The documents named as arguments are run alone.
"""
import contextlib
import glob
import io
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback

TIMEOUT = 120  # seconds for a block
API_PAGE = 'docs/sql-api.md'
ROLES = "SELECT quote_ident(rolname) FROM pg_roles WHERE rolname NOT LIKE 'modelreg\\_%'"

tests = 0
failures = 0


def report(ok, name, complaint=''):
    """Print the result of a test."""
    global tests, failures
    tests += 1
    failures += not ok
    print(f'{"ok" if ok else "not ok"} {tests} - {name}', flush=True)
    if not ok:
        for line in complaint.rstrip().splitlines():
            print(f'# {line}', flush=True)


def skip(name, reason):
    global tests
    tests += 1
    print(f'ok {tests} - {name} # SKIP {reason}', flush=True)


# ---- Pages ----

class Block:
    """An example: its language, line in the page, text and shown result."""

    def __init__(self, language, line, text, not_run):
        self.language = language
        self.line = line
        self.text = text
        self.not_run = not_run
        self.result = None


def read_blocks(text):
    """Return the blocks of a page that are run, with their results."""
    blocks = []
    fence = re.compile(r'(?:<!-- not run: (?P<not_run>[^\n]*?) -->\n)?'
                       r'^```(?P<language>\w*)\n(?P<text>.*?)^```$',
                       re.MULTILINE | re.DOTALL)
    end = 0
    last = None
    for match in fence.finditer(text):
        language = match['language']
        if language in ('sql', 'python', 'bash'):
            line = text.count('\n', 0, match.start('language')) + 1
            last = Block(language, line, match['text'], match['not_run'])
            blocks.append(last)
        elif language == 'text' and last and not text[end:match.start()].strip():
            last.result = match['text']
            last = None
        else:
            last = None
        end = match.end()
    return blocks


def section(text, name):
    """Return the part of a page below the heading that names the object."""
    match = re.search(rf'^(#+) [^\n]*`{re.escape(name)}`.*?(?=^\1 |^#{{1,2}} |\Z)',
                      text, re.MULTILINE | re.DOTALL)
    return match[0] if match else ''


# ---- Results ----

def normal(line):
    """Return a line without what differs from run to run, or is layout."""
    line = re.sub(r'_\d{8}_\d{6}(_\d+)?', '_TIME', line)
    line = re.sub(r'\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d(:?\d\d)?|Z)?',
                  'TIME', line)
    line = re.sub(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', 'UUID', line)
    line = re.sub(r'-{2,}', '--', line)
    return re.sub(r'\s+', ' ', line).strip()


def result_differs(shown, actual):
    """Compare a shown result with what was printed; return a complaint."""
    pattern = ''
    for line in shown.strip().splitlines():
        line = normal(line)
        if line == '…':
            pattern += r'(.*\n)*?'
        else:
            pattern += re.escape(line).replace('…', '.*') + r'\n'
    printed = ''.join(normal(line) + '\n' for line in actual.strip().splitlines())
    if re.fullmatch(pattern, printed):
        return ''
    return f'shown:\n{shown.strip()}\nprinted:\n{actual.strip()}'


# ---- Running ----

class Psql:
    """A psql session; what it prints comes in one stream, errors included."""

    MARK = '-- end of block --'

    def __init__(self, database, directory):
        # Verbose errors have the SQLSTATE.
        self.process = subprocess.Popen(
            ['psql', '-X', '-q', '-v', 'VERBOSITY=verbose', '-v', 'SHOW_CONTEXT=never',
             '-P', 'pager=off', '-d', database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, cwd=directory)

    def run(self, text):
        """Run SQL; return what was printed and the SQLSTATEs of errors."""
        self.process.stdin.write(f"{text}\n\\echo '{self.MARK}'\n".encode())
        self.process.stdin.flush()
        printed = b''
        until = time.monotonic() + TIMEOUT
        while not printed.endswith(f'{self.MARK}\n'.encode()):
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise RuntimeError(f'no end after {TIMEOUT} seconds:\n{printed.decode()}')
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise RuntimeError(f'psql ended:\n{printed.decode()}')
            printed += data
        output = printed.decode()[:-len(self.MARK) - 1]
        states = re.findall(r'^(?:ERROR|FATAL):  (\w{5}):', output, re.MULTILINE)
        # what psql itself complains about has no SQLSTATE
        states += re.findall(r'^(?:error: |invalid |no rows ).*', output, re.MULTILINE)
        output = re.sub(r'^LOCATION:.*\n', '', output, flags=re.MULTILINE)
        return re.sub(r'^([A-Z]+:  )\w{5}: ', r'\1', output, flags=re.MULTILINE), states

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def run_sql(psql, block):
    """Run a block of SQL; return a complaint."""
    expected = re.findall(r'-- error: (\w+)', block.text)
    output, states = psql.run(block.text)
    if states != expected:
        return f'errors expected: {expected}, raised: {states}\nprinted:\n{output}'
    return result_differs(block.result, output) if block.result is not None else ''


def run_python(namespace, block):
    """Run a block of Python; return a complaint."""
    output = io.StringIO()

    def give_up(*_):
        raise TimeoutError(f'no end after {TIMEOUT} seconds')

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(TIMEOUT)
    try:
        with contextlib.redirect_stdout(output):
            exec(compile(block.text, 'example', 'exec'), namespace)
    except Exception:
        return f'{traceback.format_exc()}\nprinted:\n{output.getvalue()}'
    finally:
        signal.alarm(0)
    if block.result is None:
        return ''
    return result_differs(block.result, output.getvalue())


def run_bash(directory, block):
    """Run a block of shell commands; return a complaint."""
    codes = re.findall(r'# exit: (\d+)', block.text)
    expected = int(codes[-1]) if codes else 0
    done = subprocess.run(['bash', '-e', '-c', block.text], cwd=directory, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=TIMEOUT)
    if done.returncode != expected:
        return (f'exit code expected: {expected}, was: {done.returncode}\n'
                f'printed:\n{done.stdout}')
    return result_differs(block.result, done.stdout) if block.result is not None else ''


def query(sql, database='postgres'):
    """Run a query; return its lines."""
    return subprocess.run(
        ['psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', database,
         '-c', 'SET client_min_messages = warning', '-c', sql], check=True, stdout=subprocess.PIPE, text=True,
        ).stdout.splitlines()


def new_database(page, text):
    """Make the database for a page; return its name."""
    if re.search('CREATE EXTENSION pg_cron', text):
        name = query('SHOW cron.database_name')[0]
    else:
        name = 'docs_' + re.sub(r'\W', '_', os.path.splitext(os.path.basename(page))[0]).lower()
    for sql in (f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"'):
        query(sql)
    if not re.search(r'^CREATE EXTENSION modelreg', text, re.MULTILINE):
        query('CREATE EXTENSION modelreg', name)
    return name


def drop_new_roles(roles, database):
    """Drop the roles a page made; they are not its database's alone."""
    for role in query(ROLES):
        if role not in roles:
            query(f'DROP OWNED BY {role}', database)
            query(f'DROP ROLE {role}')


def run_page(page, text):
    """Run the examples of a page, a test for each."""
    blocks = read_blocks(text)
    if not any(block.not_run is None for block in blocks):
        for block in blocks:
            skip(f'{page}:{block.line} {block.language}', block.not_run)
        return
    roles = query(ROLES)
    database = os.environ['PGDATABASE'] = new_database(page, text)
    directory = tempfile.TemporaryDirectory()
    os.symlink(os.path.abspath('docs'), os.path.join(directory.name, 'docs'))
    psql = Psql(database, directory.name)
    namespace = {'__name__': 'example'}
    here = os.getcwd()  # Python blocks may change it
    run = {'sql': lambda block: run_sql(psql, block),
           'python': lambda block: run_python(namespace, block),
           'bash': lambda block: run_bash(directory.name, block)}
    for block in blocks:
        name = f'{page}:{block.line} {block.language}'
        if block.not_run is not None:
            skip(name, block.not_run)
            continue
        try:
            complaint = run[block.language](block)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            complaint = str(error)
            psql.process.kill()
            psql.close()
            psql = Psql(database, directory.name)
        report(not complaint, name, complaint)
    psql.close()
    os.chdir(here)
    directory.cleanup()
    for value in list(namespace.values()):
        if type(value).__module__.startswith(('psycopg', 'modelreg')):
            with contextlib.suppress(Exception):
                value.close()
    drop_new_roles(roles, database)


# ---- Completeness ----

def check_api_page(text):
    """Does the page describe all that there is?"""
    functions = query("""
        SELECT p.proname || '|' || pg_get_function_arguments(p.oid)
            || '|' || COALESCE(pg_get_function_result(p.oid), '')
        FROM pg_proc AS p
        JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
        JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
        WHERE e.extname = 'modelreg' AND d.deptype = 'e'
            AND p.pronamespace = e.extnamespace
        ORDER BY 1""", 'modelreg_docs')
    report(len(functions) > 0, 'there are functions to describe')
    for function in functions:
        name, arguments, returns = function.split('|')
        arguments = re.sub(r"::(text|jsonb|bigint|boolean|integer)(\[\])?", '', arguments)
        # NULL is cast to the argument's type
        arguments = re.sub(r'NULL::[a-z ]+', 'NULL', arguments).replace(' DEFAULT ', ' = ')
        signature = f'{name}({arguments})' + (f' RETURNS {returns}' if returns else '')
        signature = signature.replace('timestamp with time zone', 'timestamptz')
        signature = re.sub(r'\bIN ', '', signature)
        part = section(text, name)
        shown = re.search(rf'^```\n({name}\(.*?)^```$', part, re.MULTILINE | re.DOTALL)
        complaint = '' if part else 'it has no heading\n'
        if not shown or re.sub(r'\s', '', shown[1]) != re.sub(r'\s', '', signature):
            complaint += f'its signature is not shown as {signature}\n'
        if not any(block.not_run is None and re.search(rf'\b{name}\(', block.text)
                   for block in read_blocks(part)):
            complaint += 'no example calls it\n'
        if not re.search(r'[Nn]eeds `modelreg_(reader|writer|admin)`', part):
            complaint += 'the role it needs is not named\n'
        report(not complaint, f'{API_PAGE} describes {name}', complaint)

    settings = query("SELECT name FROM pg_settings WHERE name LIKE 'modelreg.%'", 'modelreg_docs')
    relations = query("""
        SELECT c.relname || '|' || string_agg(a.attname, ',' ORDER BY a.attnum)
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'modelreg'::regnamespace AND c.relkind IN ('r', 'v')
        GROUP BY c.relname ORDER BY 1""", 'modelreg_docs')
    missing = [name for name in settings if f'`{name}`' not in text]
    report(settings and not missing, f'{API_PAGE} names every setting', f'missing: {missing}')
    for relation in relations:
        name, columns = relation.split('|')
        part = section(text, f'modelreg.{name}')
        missing = [column for column in columns.split(',') if f'`{column}`' not in part]
        report(part and not missing, f'{API_PAGE} describes modelreg.{name}',
               f'missing: {missing}' if part else 'it has no heading')


def anchor(heading):
    """The anchor that Markdown renderers make of a heading."""
    return re.sub(r'[^\w\- ]', '', heading.strip().lower()).replace(' ', '-')


def check_links(page, text):
    """Do the page's relative links lead somewhere?"""
    missing = []
    prose = re.sub(r'^```.*?^```$', '', text, flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r'\]\(([^)\s]+)\)', prose):
        if re.match(r'\w+:', target):
            continue
        path, _, wanted = target.partition('#')
        path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        if not os.path.exists(path):
            missing.append(target)
        elif wanted:
            with open(path, encoding='utf-8') as file:
                headings = re.findall(r'^#+ (.*)$', file.read(), re.MULTILINE)
            if wanted not in map(anchor, headings):
                missing.append(target)
    report(not missing, f'links of {page}', f'lead nowhere: {missing}')


def main():
    if 'MODELREG_STAGE' not in os.environ:
        sys.exit('docs_examples.py drops and creates databases: run it by tools/with-cluster')
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
    pages = sys.argv[1:] or ['README.md', 'clients/python/README.md', *sorted(glob.glob('docs/*.md'))]
    texts = {}
    for page in pages:
        with open(page, encoding='utf-8') as file:
            texts[page] = file.read()

    for page, text in texts.items():
        run_page(page, text)
    if API_PAGE in texts:
        query('DROP DATABASE IF EXISTS modelreg_docs')
        query('CREATE DATABASE modelreg_docs')
        query('CREATE EXTENSION modelreg', 'modelreg_docs')
        check_api_page(texts[API_PAGE])
    for page, text in texts.items():
        check_links(page, text)

    print(f'1..{tests}')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
