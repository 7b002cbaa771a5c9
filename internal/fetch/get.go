package fetch

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/plan"
)

// getAll reads resources by identifier.
func (s *scanning) getAll(ctx context.Context, places []place, b plan.Box) error {
	if s.table.Read == nil {
		return &NeedKeyError{Table: s.table, Reason: "its type can't be read"}
	}
	for _, at := range places {
		for _, id := range b.Identifiers {
			if !s.first(at, id) {
				continue
			}
			s.stat(s.table, func(st *stats) { st.Expected++ })
			if err := s.spawn(ctx, at, id, wanted{named: true, bound: b.Bound, found: b.Found}); err != nil {
				return err
			}
		}
	}
	return nil
}

// A wanted says how a resource came to be read.
type wanted struct {
	named bool  // by identifier, not from a list
	bound bool  // by an identifier that another resource holds
	found bool  // by one that is a value of any table
	model model // what it was listed with
}

// spawn reads one resource beside what else goes on. It waits for its turn
// first, so that there are never more of them than calls in flight.
func (s *scanning) spawn(ctx context.Context, at place, id string, w wanted) error {
	turn, err := s.admitGet(ctx, at, id)
	if err != nil {
		return err
	}
	s.group.Go(func() error {
		row, ok, err := s.get(ctx, turn, at, id, w)
		if err != nil || !ok {
			return err
		}
		return s.hand(ctx, row)
	})
	return nil
}

// admitGet waits for a turn to read a resource, if it isn't there already.
func (s *scanning) admitGet(ctx context.Context, at place, id string) (*admission, error) {
	if s.MaxAge > 0 && s.f.cache.has(getKey(s.table, at, id), s.MaxAge) {
		return nil, nil
	}
	if err := s.within(s.table); err != nil {
		return nil, err
	}
	turn, err := s.admit(ctx, at, s.table, false)
	return &turn, err
}

// get reads one resource in a turn. ok is false when it isn't there, or not in
// this place.
func (s *scanning) get(ctx context.Context, turn *admission, at place, id string, w wanted) (Row, bool, error) {
	d, err := s.document(ctx, turn, at, s.table, id)
	switch {
	case err == nil:
	case errors.Is(err, cloudcontrol.ErrNotFound), s.table.SpansRegions && errors.Is(err, cloudcontrol.ErrElsewhere),
		w.found && errors.Is(err, cloudcontrol.ErrBadID):
		return Row{}, false, nil
	default:
		return Row{}, false, s.absent(ctx, at, s.table, err)
	}
	if w.named && d.Identifier != id {
		if !w.bound && !strings.HasPrefix(id, "{") {
			s.notice("%s is another name of %s, which conditions on the identifier of %s compare with", id, d.Identifier, s.table.Name())
		}
		if !s.first(at, d.Identifier) {
			return Row{}, false, nil // it is there already
		}
	}
	return Row{at.account, at.region, d.Identifier, s.known(d.Properties, w.model)}, true, nil
}

func getKey(t *catalog.Table, at place, id string) string {
	return "get|" + t.Type + "|" + at.account + "|" + at.region + "|" + id
}

// document reads one resource, or takes it from what is shared. Without a turn
// it waits for one.
func (r *run) document(ctx context.Context, turn *admission, at place, t *catalog.Table, id string) (cloudcontrol.Document, error) {
	var d cloudcontrol.Document
	var held atomic.Pointer[admission]
	held.Store(turn)
	read := func(ctx context.Context, page func([]cloudcontrol.Document) error) error {
		mine := held.Swap(nil)
		if mine == nil {
			if err := r.within(t); err != nil {
				return err
			}
			turn, err := r.admit(ctx, at, t, false)
			if err != nil {
				return err
			}
			mine = &turn
		}
		c, err := r.client(ctx, at)
		if err != nil {
			r.giveBack(*mine)
			return err
		}
		var got cloudcontrol.Document
		err = r.call(ctx, *mine, at, t, opGet, false, func() (err error) {
			got, err = c.Get(ctx, t.Type, id)
			return err
		})
		if err != nil {
			return err
		}
		return page([]cloudcontrol.Document{got})
	}
	one := func(docs []cloudcontrol.Document) error { d = docs[0]; return nil }
	if r.MaxAge == 0 && !r.shared[t.Type] {
		err := read(ctx, one)
		return d, err
	}
	err := r.through(ctx, getKey(t, at, id), read, one)
	if turn := held.Swap(nil); turn != nil { // somebody else had it
		r.giveBack(*turn)
	}
	return d, err
}

// giveBack ends a turn in which no call was made.
func (r *run) giveBack(turn admission) {
	r.f.limits.all.Release(1)
	turn.l.give()
}
