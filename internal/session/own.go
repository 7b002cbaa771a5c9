package session

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/syntax"
)

// mentionsOwn reports whether a statement may read a table of schema skyql.
func mentionsOwn(st syntax.Statement) bool {
	return strings.Contains(strings.ToLower(st.Text), "skyql.")
}

// makeOwn makes the tables of schema skyql: missing, if it is not there yet,
// and changes, as the journal is now.
func (s *Session) makeOwn(ctx context.Context) error {
	if !s.missingTable {
		if err := s.makeMissing(ctx, nil); err != nil {
			return err
		}
	}
	text := `CREATE OR REPLACE TABLE skyql.changes (change_set VARCHAR, number BIGINT, made TIMESTAMPTZ, action VARCHAR, type VARCHAR, account_id VARCHAR, region VARCHAR,
		identifier VARCHAR, name VARCHAR, state VARCHAR, code VARCHAR, message VARCHAR, request VARCHAR, asked TIMESTAMPTZ, ended TIMESTAMPTZ, "before" JSON, "after" JSON)`
	if err := s.db.Exec(ctx, text, nil); err != nil {
		return err
	}
	sets, err := s.Histories()
	if err != nil {
		return err
	}
	for _, h := range sets {
		for _, p := range h.Changes {
			if err := s.db.Exec(ctx, `INSERT INTO skyql.changes VALUES ($set, $number::BIGINT, $made::TIMESTAMPTZ, $action, $type, $account, $region, $identifier, nullif($name, ''), $state,
				nullif($code, ''), nullif($message, ''), nullif($request, ''), nullif($asked, '')::TIMESTAMPTZ, nullif($ended, '')::TIMESTAMPTZ, nullif($before, '')::JSON, nullif($after, '')::JSON)`, past(h, p)); err != nil {
				return fmt.Errorf("skyql.changes: %w", err)
			}
		}
	}
	return nil
}

// past writes a change of the journal down for its table.
func past(h *change.History, p change.Past) map[string]string {
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	return map[string]string{"set": h.ID, "number": fmt.Sprint(p.Number), "made": at(h.Made), "action": p.Action.Word(), "type": p.Type, "account": p.Account, "region": p.Region,
		"identifier": p.Identifier, "name": p.Name, "state": string(p.State), "code": p.Code, "message": p.Message, "request": p.Request, "asked": at(p.Asked), "ended": at(p.Ended),
		"before": string(p.Before), "after": string(p.After)}
}
