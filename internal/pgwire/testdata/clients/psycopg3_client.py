# What psycopg 3 sees: it binds on the server, and prepares what comes again.
# Arguments: port.
import datetime
import decimal
import sys

import psycopg
from psycopg.rows import dict_row

c = psycopg.connect("host=127.0.0.1 port=%s dbname=aws user=someone" % sys.argv[1])
c.prepare_threshold = 1
for _ in range(4):
    name, arns, phone = c.execute("SELECT username, security_profile_arns, phone_config FROM connect.users WHERE region = %s ORDER BY username LIMIT %s", ("us-east-1", 1)).fetchone()
print(name, type(arns).__name__, phone["PhoneType"])
for binary in (False, True):
    row = c.cursor(binary=binary).execute("""SELECT 1, 2::BIGINT, 1.5::DOUBLE, 1.50::DECIMAL(9,2), true, DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05.5',
        TIMESTAMPTZ '2026-01-02 03:04:05+00', INTERVAL '2 days 03:00:00', 'a'::BLOB, NULL, %s::TEXT""", ("é",)).fetchone()
    assert row == (1, 2, 1.5, decimal.Decimal("1.50"), True, datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, 4, 5, 500000),
        datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc), datetime.timedelta(days=2, hours=3), b"a", None, "é"), row
c.commit()
with c.cursor("named", row_factory=dict_row) as named:
    named.itersize = 3
    print([r["x"] for r in named.execute("SELECT x FROM range(10) t(x) ORDER BY x")])
try:
    c.execute("SELECT nope FROM connect.users")
except psycopg.Error as e:
    print(e.sqlstate, e.diag.statement_position, e.diag.message_hint)
c.rollback()
with c.cursor().copy("COPY (SELECT 1 AS a, 'x,y' AS b, NULL AS c) TO STDOUT") as copy:
    print([r for r in copy.rows()])
with c.pipeline():
    a, b = c.execute("SELECT %s::INT + 1", (1,)), c.execute("SELECT count(*) FROM sqs.queues")
    print(a.fetchone(), b.fetchone())
c.close()
