package change

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/sqlerr"
)

// A plan file is made so once, whatever it makes.
func TestPlanOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		var file bytes.Buffer
		if err := newSet(t, intent(t, queue, "~1", "", `{"QueueName":"q"}`)).Save(&file); err != nil {
			t.Fatal(err)
		}
		apply := func() error {
			s, err := Load(bytes.NewReader(file.Bytes()), catalog.Embedded())
			if err != nil {
				t.Fatal(err)
			}
			_, err = (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), s)
			return err
		}
		if err := apply(); err != nil {
			t.Fatal(err)
		}
		if err := apply(); !errors.Is(err, ErrDrifted) || !strings.Contains(err.Error(), "made so before, as change set "+j.Sets()[0].ID) {
			t.Errorf("the second time: %v", err)
		}
		if f.calls["Create"] != 1 {
			t.Errorf("%d creates", f.calls["Create"])
		}
	})
}

// A creation by a statement that looked before somebody else made more of the
// kind is refused; one that didn't look, or looks again, is made.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, j := newFake(t), journal(t)
		defer j.Close()
		a := &Applier{Clouds: f.clouds, Journal: j}
		made := func(typ, model string, looked time.Time) error {
			in := intent(t, typ, "~1", "", model)
			in.ReadAt = looked
			_, err := a.Apply(t.Context(), newSet(t, in))
			return err
		}
		before := time.Now()
		time.Sleep(time.Second)
		if err := made(queue, `{"QueueName":"q"}`, before); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		err := made(queue, `{"QueueName":"q"}`, before)
		if !errors.Is(err, ErrDrifted) || !strings.Contains(sqlerr.From(err).Detail, "aws.sqs.queues q of change set ") || sqlerr.From(err).Hint == "" {
			t.Errorf("overtaken: %v, %+v", err, sqlerr.From(err))
		}
		for _, err := range []error{made(logGroup, `{"LogGroupName":"a"}`, before), made(queue, `{"QueueName":"p"}`, time.Time{}), made(queue, `{"QueueName":"o"}`, time.Now())} {
			if err != nil {
				t.Error(err)
			}
		}
	})
}

// A journal that another process has is waited for, a while: who has it is said.
func TestJournalWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first, err := OpenJournal(dir)
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		o := Opening{Wait: 30 * time.Second, Busy: func(holder string) {
			if told++; !strings.HasPrefix(holder, "another skyql (process ") {
				t.Errorf("told of %q", holder)
			}
		}}
		began := time.Now()
		_, err = o.Journal(t.Context(), dir)
		if e := sqlerr.From(err); e.Code != "55006" || !strings.Contains(e.Message, "another skyql (process ") || !strings.Contains(e.Detail, "waited 30s") || e.Hint == "" || time.Since(began) > 31*time.Second {
			t.Errorf("%+v after %s", e, time.Since(began))
		}
		go func() {
			time.Sleep(5 * time.Second)
			first.Close()
		}()
		j, err := o.Journal(t.Context(), dir)
		if err != nil || !j.Waited() || told != 2 {
			t.Fatalf("%v, told %d times", err, told)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if j, err = o.Journal(t.Context(), dir); err != nil || j.Waited() {
			t.Errorf("a free journal was waited for: %v", err)
		}
		j.Close()
	})
}
