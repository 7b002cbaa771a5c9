# How psycopg2 changes things. Arguments: port.
import sys

import psycopg2

c = psycopg2.connect(host="127.0.0.1", port=sys.argv[1], dbname="aws", user="someone", options="-c confirm=apply")
cur = c.cursor()
cur.execute("INSERT INTO sqs.queues (queue_name, delay_seconds) VALUES (%s, %s) RETURNING queue_name, delay_seconds", ("jobs", 5))
print(cur.fetchone(), cur.rowcount)
c.commit()
cur.execute("UPDATE sqs.queues SET delay_seconds = %s WHERE queue_name = %s", (7, "jobs"))
print(cur.statusmessage)
c.rollback()
cur.execute("SELECT delay_seconds FROM sqs.queues WHERE queue_name = 'jobs'")
print(cur.fetchone())
cur.execute("SET confirm = 'plan'")
c.commit()
cur.execute("DELETE FROM sqs.queues WHERE queue_name = 'jobs'")
try:
    c.commit()
except psycopg2.Error as e:
    print(e.pgcode, e.diag.message_primary, c.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE)
c.rollback()
with c:
    cur.execute("DELETE FROM sqs.queues WHERE queue_name = 'jobs'")
    cur.execute("SHOW PLAN")
    print(cur.fetchall()[-1])
cur.execute("SELECT count(*) FROM sqs.queues WHERE queue_name = 'jobs'")
print(cur.fetchone())
c.rollback()
c.set_session(readonly=True)
try:
    cur.execute("DELETE FROM sqs.queues WHERE queue_name = 'orders'")
except psycopg2.Error as e:
    print(e.pgcode, e.diag.message_primary)
c.close()
