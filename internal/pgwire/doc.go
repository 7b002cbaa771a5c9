// Package pgwire serves the PostgreSQL wire protocol, version 3, on top of
// session: what psql, JDBC and the rest of PostgreSQL's clients send is run as
// any other statement is.
//
// # Layers
//
// A Server accepts connections and counts them. A conn is one client: startup
// and authentication (startup.go, auth.go), then a loop over messages (conn.go)
// until the client leaves. Messages become statements (query.go, extended.go),
// statements become portals (portal.go), and a portal's rows are written in the
// types that were told (types.go, values.go). What PostgreSQL has and a session
// does not is kept here: client settings, transaction blocks, cursors, COPY.
// Questions about PostgreSQL's own catalogs go to package pgcatalog.
//
// # Errors and Sync
//
// An error ends the message at hand. In the extended protocol everything up to
// the next Sync is then read and thrown away, so that a pipeline fails as a
// whole; in a transaction block everything is refused until it is rolled back.
// Broken messages end the connection, with an error if that can still be sent.
//
// # Cancelling
//
// A CancelRequest, a time-out, a client that went away and the server's own end
// all cancel the context of the statement that runs, each with its cause: see
// errors.go. While a statement runs, the connection is watched for its end.
//
// # Safety
//
// Sessions are confined (session.Options.Confine), each with an engine instance
// of its own: no client sees another's rows or settings, nor files, network,
// extensions or DuckDB's settings.
//
// # Changes
//
// Without Options.Changes sessions only read. With them a statement is planned,
// and the plan carried out if the client has looked at it (SHOW PLAN, COMMIT) or
// said that it needn't (SET confirm = 'apply'); a tag such as UPDATE 3 is only
// ever sent for what was done, or waits for a COMMIT. Statements of one query or
// pipeline are one transaction, as in PostgreSQL, and make one change set. A
// COMMIT ends its transaction in any case. Whatever ends the statement's context
// ends new calls; those in flight are awaited and journaled. See change.go.
package pgwire
