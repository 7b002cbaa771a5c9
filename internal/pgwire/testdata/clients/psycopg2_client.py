# What psycopg2 and SQLAlchemy see. Arguments: port.
import datetime
import decimal
import io
import sys

import psycopg2
import psycopg2.extras

c = psycopg2.connect(host="127.0.0.1", port=sys.argv[1], dbname="aws", user="someone")
cur = c.cursor()
cur.execute("SELECT username, security_profile_arns, phone_config FROM connect.users WHERE region = %s ORDER BY identifier LIMIT 1", ("us-east-1",))
name, arns, phone = cur.fetchone()
print(name, type(arns).__name__, phone["PhoneType"])
cur.execute("""SELECT 1, 2::BIGINT, 1.5::DOUBLE, 1.50::DECIMAL(9,2), true, DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05.5',
    TIMESTAMPTZ '2026-01-02 03:04:05+00', INTERVAL '2 days 03:00:00', 'a'::BLOB, NULL""")
row = list(cur.fetchone())
row[9] = bytes(row[9])
assert row[:9] == [1, 2, 1.5, decimal.Decimal("1.50"), True, datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, 4, 5, 500000),
    datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc), datetime.timedelta(days=2, hours=3)], row
assert row[9:] == [b"a", None], row
c.commit()
named = c.cursor("named", cursor_factory=psycopg2.extras.DictCursor)
named.itersize = 3
named.execute("SELECT x FROM range(10) t(x) ORDER BY x")
print([r["x"] for r in named])
try:
    cur.execute("SELECT nope FROM connect.users")
except psycopg2.Error as e:
    print(e.pgcode, e.diag.statement_position, e.diag.message_hint)
try:
    cur.execute("SELECT 1")
except psycopg2.Error as e:
    print(e.pgcode)
c.rollback()
out = io.StringIO()
cur.copy_expert("COPY (SELECT 1 AS a, 'x,y' AS b, NULL AS c) TO STDOUT WITH CSV HEADER", out)
print(out.getvalue().strip().replace("\n", " "))
c.close()

try:
    import sqlalchemy as sa
except ImportError:
    sys.exit(0)
e = sa.create_engine("postgresql+psycopg2://someone@127.0.0.1:%s/aws" % sys.argv[1])
i = sa.inspect(e)
assert "connect" in i.get_schema_names() and i.default_schema_name == "public"
assert {"users", "user"} <= set(i.get_table_names(schema="connect"))
cols = {c["name"]: c for c in i.get_columns("users", schema="connect")}
assert str(cols["username"]["type"]) == "TEXT" and not cols["region"]["nullable"] and str(cols["tags"]["type"]) == "JSON", cols
assert i.get_pk_constraint("users", schema="connect")["constrained_columns"] == ["account_id", "region", "identifier"]
assert i.get_foreign_keys("users", schema="connect") == [] and i.get_indexes("users", schema="connect") == []
assert i.get_table_comment("users", schema="connect") == {"text": "AWS::Connect::User"}
t = sa.Table("users", sa.MetaData(), autoload_with=e, schema="connect")
with e.connect() as c:
    rows = c.execute(sa.select(t.c.username).where(t.c.region == "us-east-1").order_by(t.c.username).limit(1)).fetchall()
    assert rows == [("abara",)], rows
