package sandbox

import (
	"strings"
	"testing"
)

// Patches as RFC 6902 has them: a document, operations, and the document after
// them or the error. Its appendix's cases are among them.
func TestPatch(t *testing.T) {
	t.Parallel()
	check := func(doc, patch, want string) {
		t.Helper()
		before := decodeValue([]byte(doc))
		ops, err := readPatch(patch)
		var after any
		if err == nil {
			after, err = applyPatch(before, ops)
		}
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = string(encode(after))
		}
		if got != want {
			t.Errorf("%s\n%s\n got %s\nwant %s", doc, patch, got, want)
		}
		if string(encode(before)) != string(encode(decodeValue([]byte(doc)))) {
			t.Errorf("%s changed the document: %s", patch, encode(before))
		}
	}
	check(`{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux"}]`, `{"baz":"qux","foo":"bar"}`)
	check(`{"foo":["bar","baz"]}`, `[{"op":"add","path":"/foo/1","value":"qux"}]`, `{"foo":["bar","qux","baz"]}`)
	check(`{"foo":["bar"]}`, `[{"op":"add","path":"/foo/-","value":["abc","def"]}]`, `{"foo":["bar",["abc","def"]]}`)
	check(`{"baz":"qux","foo":"bar"}`, `[{"op":"remove","path":"/baz"}]`, `{"foo":"bar"}`)
	check(`{"foo":["bar","qux","baz"]}`, `[{"op":"remove","path":"/foo/1"}]`, `{"foo":["bar","baz"]}`)
	check(`{"baz":"qux","foo":"bar"}`, `[{"op":"replace","path":"/baz","value":"boo"}]`, `{"baz":"boo","foo":"bar"}`)
	check(`{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}`, `[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]`, `{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}`)
	check(`{"foo":["all","grass","cows","eat"]}`, `[{"op":"move","from":"/foo/1","path":"/foo/3"}]`, `{"foo":["all","cows","eat","grass"]}`)
	check(`{"baz":"qux","foo":["a",2,"c"]}`, `[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2.0}]`, `{"baz":"qux","foo":["a",2,"c"]}`)
	check(`{"baz":"qux"}`, `[{"op":"test","path":"/baz","value":"bar"}]`, `[TEST Operation] value differs from expectations, path provided: //baz`)
	check(`{"foo":"bar"}`, `[{"op":"add","path":"/child","value":{"grandchild":{}}}]`, `{"child":{"grandchild":{}},"foo":"bar"}`)
	check(`{"foo":"bar"}`, `[{"op":"add","path":"/baz/bat","value":"qux"}]`, `[ADD Operation] noSuchPath in source, path provided: //baz/bat`)
	check(`{"/":9,"~1":10}`, `[{"op":"test","path":"/~01","value":10},{"op":"test","path":"/~01","value":"10"}]`, `[TEST Operation] value differs from expectations, path provided: //~01`)
	check(`{"foo":["bar"]}`, `[{"op":"copy","from":"/foo","path":"/new"},{"op":"add","path":"/new/0","value":1}]`, `{"foo":["bar"],"new":[1,"bar"]}`)
	check(`{"a":{"b":1}}`, `[{"op":"move","from":"/a","path":"/a/b"}]`, `operation 0: a value can't be moved into itself`)
	check(`{"a":1}`, `[{"op":"move","from":"/a","path":"/a"}]`, `{"a":1}`)
	check(`{"a":{"k":1,"l":[1]}}`, `[{"op":"test","path":"/a","value":{"l":[1.0],"k":1e0}}]`, `{"a":{"k":1,"l":[1]}}`)
	check(`{"a":1}`, `[{"op":"replace","path":"","value":{"b":2}}]`, `{"b":2}`)
	check(`{"a":1}`, `[{"op":"add","path":"A","value":null}]`, `{"A":null,"a":1}`)
	check(`{"a":[1]}`, `[{"op":"add","path":"/a/2","value":1}]`, `[ADD Operation] noSuchPath in source, path provided: //a/2`)
	check(`{"a":[1]}`, `[{"op":"replace","path":"/a/-","value":1}]`, `[REPLACE Operation] "-" is no array index, path provided: //a/-`)
	check(`{"a":[1,2]}`, `[{"op":"remove","path":"/a/01"}]`, `[REMOVE Operation] "01" is no array index, path provided: //a/01`)
	check(`{"a":"x"}`, `[{"op":"copy","from":"/a/b","path":"/c"}]`, `[COPY Operation] noSuchPath in source, path provided: //c`)
	check(`{}`, `[{"op":"add","path":"/a~2","value":1}]`, `operation 0: path /a~2: ~ stands before 0 or 1 only`)
	check(`{}`, `[{"op":"add","path":"/a"}]`, `operation 0: value is missing`)
	check(`{}`, `[{"op":"remove"}]`, `operation 0: path is missing or not a string`)
	check(`{}`, `[{"op":"copy","path":"/a"}]`, `operation 0: from is missing or not a string`)
	check(`{}`, `[1]`, `operation 0 is not a JSON object`)
	check(`{}`, `{}`, `it is not a JSON array of operations`)
	check(`{"a":1}`, `[]`, `{"a":1}`)
}

func FuzzPatch(f *testing.F) {
	f.Add(`{"a":[1,{"b":2}]}`, `[{"op":"move","from":"/a/1/b","path":"/c"},{"op":"test","path":"/c","value":2},{"op":"remove","path":"/a/0"}]`)
	f.Fuzz(func(t *testing.T, doc, patch string) {
		before, err := readValue([]byte(doc))
		if err != nil {
			return
		}
		ops, err := readPatch(patch)
		if err != nil {
			return
		}
		text := string(encode(before))
		if _, err := applyPatch(before, ops); err != nil && strings.Contains(err.Error(), "%!") {
			t.Error(err)
		}
		if string(encode(before)) != text {
			t.Errorf("%s changed the document", patch)
		}
	})
}
