// What node-postgres sees. Arguments: port.
const { Client } = require('pg')

async function main() {
  const c = new Client({ host: '127.0.0.1', port: process.argv[2], user: 'someone', database: 'aws' })
  await c.connect()
  const users = await c.query('SELECT username, security_profile_arns, phone_config FROM connect.users WHERE region = $1 ORDER BY username LIMIT $2', ['us-east-1', 1])
  console.log(users.rows[0].username, users.rows[0].security_profile_arns.length, users.rows[0].phone_config.PhoneType)
  const named = { name: 'n', text: "SELECT $1::int + 1 AS a, $2::text AS b, true AS c, 1.5::DOUBLE AS d, 12::BIGINT AS e, TIMESTAMPTZ '2026-01-02 03:04:05+00' AS f", values: [1, 'x'] }
  for (let i = 0; i < 2; i++) console.log(JSON.stringify((await c.query(named)).rows[0]))
  try {
    await c.query('SELECT nope')
  } catch (e) {
    console.log(e.code, e.position)
  }
  await c.query('BEGIN')
  await c.query('COMMIT')
  await c.end()
}
main().catch(e => { console.error(e); process.exit(1) })
