package record

import (
	"fmt"
	"strings"

	"patchlab/kernel/cell/wire"
)

// Magic begins a line of a cell that is meant for the session, in front of Go.
const Magic = "%patchlab"

const usage = `allowed are
  %patchlab run [NAME] [parameter=value …]   begin the session's run, or go on with it
  %patchlab resume RUN                       go on with a run of the tracker: its name, or the beginning of its ID
  %patchlab end [failed|killed]              end it with this cell
  %patchlab status                           say which it is`

// Command does what a line that begins with Magic asks for, and returns what there is to say. A name with spaces stands
// in quotes.
func (s *Session) Command(line string) (string, error) {
	words, err := split(strings.TrimPrefix(strings.TrimSpace(line), Magic))
	if err != nil {
		return "", err
	}
	if len(words) == 0 {
		words = []string{"status"}
	}
	var reply wire.Reply
	switch verb, rest := words[0], words[1:]; {
	case verb == "run":
		q := wire.Request{Op: wire.OpStart, Fields: map[string]string{}}
		for i, word := range rest {
			key, value, isParameter := strings.Cut(word, "=")
			switch {
			case isParameter && key != "":
				q.Fields[key] = value
			case i == 0:
				q.Name = word
			default:
				return "", fmt.Errorf("%q is no parameter=value; %s", word, usage)
			}
		}
		reply, err = s.answer(q, nil)
	case verb == "resume" && len(rest) == 1:
		reply, err = s.answer(wire.Request{Op: wire.OpResume, Name: rest[0]}, nil)
	case verb == "end" && len(rest) < 2:
		was := s.run.reply(true)
		if _, err := s.answer(wire.Request{Op: wire.OpEnd, Text: strings.Join(rest, "")}, nil); err != nil {
			return "", err
		}
		return fmt.Sprintf("run %s (%s) ends with this cell", was.Name, was.ID), nil
	case verb == "status" && len(rest) == 0:
		if reply = s.run.reply(true); reply.ID == "" {
			return "the session has no run; " + usage, nil
		}
	default:
		return "", fmt.Errorf("%q is unknown; %s", strings.Join(words, " "), usage)
	}
	if err != nil {
		return "", err
	}
	return describe(reply), nil
}

func describe(reply wire.Reply) string {
	verb := "began"
	if reply.Continued {
		verb = "goes on"
	}
	return fmt.Sprintf("run %s (%s) %s in %s", reply.Name, reply.ID, verb, reply.Database)
}

// split splits a line into words; double quotes hold spaces together.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	quoted, begun := false, false
	for _, r := range line {
		switch {
		case r == '"':
			quoted, begun = !quoted, true
		case (r == ' ' || r == '\t') && !quoted:
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote is not closed in %q", line)
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}
