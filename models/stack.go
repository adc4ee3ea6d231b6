package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
)

// maxBlocks bounds a stack, so that a slip of the keyboard does not build a million blocks.
const maxBlocks = 256

// Block is one layer of a stack: Mixer, ViT or ConvMixer. To add one, write its file and name it in
// blocks.
type Block interface {
	// Kind returns the name by which JSON and Parse know the block.
	Kind() string
	validate() error
	// build maps tokens [B, T, C] to [B, T, C], with variables below path.
	build(n *network, path string, x *graph.Node) *graph.Node
	// flops returns the cost for one image, as Config.FLOPs counts it.
	flops(tokens, dim int) int64
}

// blocks returns one of each kind of block, with the reference's values.
func blocks() []Block { return []Block{Mixer{}, ViT{}, ConvMixer{}} }

// Kinds returns the names of the blocks there are.
func Kinds() []string {
	var names []string
	for _, block := range blocks() {
		names = append(names, block.Kind())
	}
	return names
}

// newBlock decodes the block of a kind from the JSON of its fields.
func newBlock(kind string, fields []byte) (Block, error) {
	for _, block := range blocks() {
		if block.Kind() != kind {
			continue
		}
		decoded := reflect.New(reflect.TypeOf(block))
		decoder := json.NewDecoder(bytes.NewReader(fields))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(decoded.Interface()); err != nil {
			return nil, fmt.Errorf("fields of %s (%s): %w", kind, strings.Join(fieldNames(block), ", "), err)
		}
		return decoded.Elem().Interface().(Block), nil
	}
	return nil, fmt.Errorf("%w %q, allowed are %s", errNoBlock, kind, strings.Join(Kinds(), ", "))
}

var errNoBlock = errors.New("there is no block")

// fieldNames lists a block's fields as JSON and stacks name them, in their order.
func fieldNames(block Block) []string {
	var names []string
	for field := range reflect.TypeOf(block).Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// orDefault returns value, or the default where value is 0.
func orDefault(value, otherwise int) int {
	if value == 0 {
		return otherwise
	}
	return value
}

// Stack is the blocks of a network in order. Its JSON is an array of objects, each with its "kind" and
// those of its fields that are not zero: [{"kind":"mixer"},{"kind":"vit","heads":8}].
type Stack []Block

// Repeat returns a stack of n times the same block.
func Repeat(block Block, n int) Stack {
	stack := make(Stack, n)
	for i := range stack {
		stack[i] = block
	}
	return stack
}

// String writes the stack as ParseStack reads it, such as "mixer:2,vit(heads=8):1".
func (s Stack) String() string {
	var runs []string
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j] == s[i] {
			j++
		}
		runs = append(runs, fmt.Sprintf("%s:%d", blockText(s[i]), j-i))
		i = j
	}
	return strings.Join(runs, ",")
}

// blockText writes a block's kind and those of its fields that are not zero, in their order.
func blockText(block Block) string {
	var fields []string
	value := reflect.ValueOf(block)
	for i, name := range fieldNames(block) {
		if v := value.Field(i); !v.IsZero() {
			fields = append(fields, fmt.Sprintf("%s=%v", name, v))
		}
	}
	if fields == nil {
		return block.Kind()
	}
	return block.Kind() + "(" + strings.Join(fields, ",") + ")"
}

// MarshalJSON writes the blocks with their kinds.
func (s Stack) MarshalJSON() ([]byte, error) {
	objects := make([]json.RawMessage, len(s))
	for i, block := range s {
		if block == nil {
			return nil, fmt.Errorf("writing a stack: block %d is nil", i)
		}
		fields, err := json.Marshal(block)
		if err != nil {
			return nil, fmt.Errorf("writing block %d: %w", i, err)
		}
		head := fmt.Sprintf(`{"kind":%q`, block.Kind())
		if string(fields) != "{}" {
			head += ","
		}
		objects[i] = append([]byte(head), fields[1:]...)
	}
	return json.Marshal(objects)
}

// UnmarshalJSON reads what MarshalJSON wrote. An unknown kind or field is an error.
func (s *Stack) UnmarshalJSON(data []byte) error {
	var objects []map[string]json.RawMessage
	if err := json.Unmarshal(data, &objects); err != nil {
		return fmt.Errorf("reading a stack: %w", err)
	}
	stack := make(Stack, len(objects))
	for i, object := range objects {
		var kind string
		if err := json.Unmarshal(object["kind"], &kind); err != nil {
			return fmt.Errorf("reading block %d: its \"kind\" is missing or no text, allowed are %s", i, strings.Join(Kinds(), ", "))
		}
		delete(object, "kind")
		fields, err := json.Marshal(object)
		if err != nil {
			return fmt.Errorf("reading block %d: %w", i, err)
		}
		if stack[i], err = newBlock(kind, fields); err != nil {
			return fmt.Errorf("reading block %d: %w", i, err)
		}
	}
	*s = stack
	return nil
}

// ParseStack reads blocks separated by commas, each a kind, those of its fields that are not the
// reference's, and a number of repetitions: "mixer:2,vit" is two Mixers and a ViT,
// "vit(heads=1,key_dim=32):2" two ViTs of one narrow head.
func ParseStack(text string) (Stack, error) {
	var stack Stack
	for _, part := range splitBlocks(text) {
		head, count := strings.TrimSpace(part), "1"
		if i := strings.LastIndex(head, ":"); i > strings.LastIndex(head, ")") {
			head, count = strings.TrimSpace(head[:i]), strings.TrimSpace(head[i+1:])
		}
		times, err := strconv.Atoi(count)
		if err != nil || times < 1 {
			return nil, fmt.Errorf("stack %q: %q is no number of blocks, allowed are 1 to %d", text, count, maxBlocks)
		}
		kind, fields, err := cutFields(head)
		if err != nil {
			return nil, fmt.Errorf("stack %q: %w", text, err)
		}
		block, err := newBlock(kind, fields)
		if err != nil {
			return nil, fmt.Errorf("stack %q: %w; stacks look like %q", text, err, "mixer:2,vit(heads=8):1")
		}
		if times > maxBlocks-len(stack) {
			return nil, fmt.Errorf("stack %q: more than %d blocks", text, maxBlocks)
		}
		stack = append(stack, Repeat(block, times)...)
	}
	return stack, nil
}

// splitBlocks splits at the commas outside parentheses.
func splitBlocks(text string) []string {
	var parts []string
	depth, start := 0, 0
	for i, r := range text {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ',' && depth == 0:
			parts, start = append(parts, text[start:i]), i+1
		}
	}
	return append(parts, text[start:])
}

// cutFields parts "vit(heads=1)" into the kind and its fields as JSON.
func cutFields(text string) (kind string, fields []byte, err error) {
	kind, list, any := strings.Cut(text, "(")
	if !any {
		return kind, []byte("{}"), nil
	}
	list, closed := strings.CutSuffix(list, ")")
	if !closed {
		return "", nil, fmt.Errorf("%q does not close its parenthesis, fields look like %q", text, "vit(heads=8,hidden=128)")
	}
	values := map[string]json.RawMessage{}
	for field := range strings.SplitSeq(list, ",") {
		name, value, ok := strings.Cut(field, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || !json.Valid([]byte(value)) {
			return "", nil, fmt.Errorf("%q is no field with a number or true, fields look like %q", strings.TrimSpace(field), "vit(heads=8,hidden=128)")
		}
		if number := 1.; json.Unmarshal([]byte(value), &number) == nil && number == 0 {
			return "", nil, fmt.Errorf("%q: leave a field out for the reference's own value; a ViT without dropout is %q", strings.TrimSpace(field), "vit(dropout=-1)")
		}
		values[name] = json.RawMessage(value)
	}
	fields, err = json.Marshal(values)
	return kind, fields, err
}

// Parse reads a network from one line: the id of a configuration of the course ("mixer-4") or of a
// paper ("vit_tiny_patch16_224"), or a stack
// ("mixer:2,vit:1") with the settings of the reference's hybrids: images 64 x 64 in patches of 8,
// dim 128, dropout .4, normalised pixels. A stack that begins with convmixer takes those of the
// reference's conv rows instead: 32 x 32 in patches of 2, dim 16, conv stem, x/255.
func Parse(spec string) (Config, error) {
	if entry, err := Lookup(spec); err == nil {
		return entry.Config, nil
	}
	for _, c := range Papers() {
		if c.ID == spec {
			return c, nil
		}
	}
	stack, err := ParseStack(spec)
	if err != nil && !errors.Is(err, errNoBlock) {
		return Config{}, err
	}
	if err != nil {
		ids := make([]string, 0, len(Named()))
		for _, entry := range Named() {
			ids = append(ids, entry.Config.ID)
		}
		for _, c := range Papers() {
			ids = append(ids, c.ID)
		}
		return Config{}, fmt.Errorf("%w; nor is it one of the configurations %s", err, strings.Join(ids, ", "))
	}
	config := hybrid(stack.String(), 128, 0.4, stack)
	if stack[0].Kind() == (ConvMixer{}).Kind() {
		config = conv(stack.String(), 0.4, stack)
	}
	return config, nil
}
