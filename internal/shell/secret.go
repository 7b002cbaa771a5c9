package shell

const hidden = "<hidden>"

func secretName(name string) bool { return false }

func (s *Shell) scrub(text string) string { return text }
