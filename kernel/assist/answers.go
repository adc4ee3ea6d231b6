package assist

import (
	"context"
	"strings"

	"patchlab/kernel/front"
	"patchlab/kernel/source"
)

// maxMatches bounds a completion.
const maxMatches = 300

// kinds are the types that JupyterLab has signs for, by the numbers of the protocol's CompletionItemKind.
var kinds = map[int]string{
	2: "method", 3: "function", 4: "function", 5: "property", 6: "instance", 7: "class", 8: "interface", 9: "module",
	10: "property", 12: "value", 13: "enum", 14: "keyword", 15: "snippet", 17: "file", 20: "enum", 21: "constant", 22: "struct", 25: "type",
}

// Complete implements front.Assistant.
func (a *Assistant) Complete(ctx context.Context, code string, cursor int, declared string) (front.Completion, error) {
	if matches, start := source.Commands(code, cursor); len(matches) > 0 {
		return front.Completion{Start: start, End: cursor, Matches: matches}, nil
	}
	composed, ok := source.Compose(code, cursor, declared)
	if !ok {
		return front.Completion{}, nil
	}
	var list struct {
		Items []struct {
			Label      string
			Kind       int
			InsertText string
			FilterText string
			TextEdit   *struct{ NewText string }
		}
	}
	if err := a.ask(ctx, "textDocument/completion", composed, &list); err != nil {
		return front.Completion{}, err
	}
	start := source.Word(code, cursor)
	prefix := strings.ToLower(string([]rune(code)[start:cursor]))
	c := front.Completion{Start: start, End: cursor}
	seen := map[string]bool{}
	for _, item := range list.Items {
		text := item.Label
		switch {
		case item.TextEdit != nil && item.TextEdit.NewText != "":
			text = item.TextEdit.NewText
		case item.InsertText != "":
			text = item.InsertText
		}
		if seen[text] || strings.Contains(text, "\n") || !strings.HasPrefix(strings.ToLower(text), prefix) || text == source.ResultFunc {
			continue
		}
		seen[text] = true
		kind := kinds[item.Kind]
		if kind == "" {
			kind = "text"
		}
		c.Matches, c.Types = append(c.Matches, text), append(c.Types, kind)
		if len(c.Matches) == maxMatches {
			break
		}
	}
	return c, nil
}

// Inspect implements front.Assistant. A cursor at the end of a name, or in the arguments of a call right behind it,
// stands for the name.
func (a *Assistant) Inspect(ctx context.Context, code string, cursor int, declared string) (markdown, plain string, err error) {
	runes := []rune(code)
	if cursor > 0 && cursor <= len(runes) && runes[cursor-1] == '(' {
		cursor--
	}
	if start := source.Word(code, cursor); start < cursor {
		cursor = start
	}
	composed, ok := source.Compose(code, cursor, declared)
	if !ok {
		return "", "", nil
	}
	var hover *struct {
		Contents struct{ Kind, Value string }
	}
	if err := a.ask(ctx, "textDocument/hover", composed, &hover); err != nil || hover == nil {
		return "", "", err
	}
	markdown = strings.TrimSpace(hover.Contents.Value)
	var b strings.Builder
	for line := range strings.Lines(markdown) {
		if t := strings.TrimSpace(line); !strings.HasPrefix(t, "```") && t != "---" {
			b.WriteString(line)
		}
	}
	return markdown, strings.TrimSpace(b.String()), nil
}
