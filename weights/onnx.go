package weights

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"google.golang.org/protobuf/encoding/protowire"

	"patchlab/models"
)

// opset is the version of ONNX's operators that files use: of 2022, which every
// runtime of today knows.
const opset = 18

// maxONNX is the largest message that protocol buffers allow, in bytes.
const maxONNX = math.MaxInt32

// WriteONNX writes a network as an ONNX model (onnx.ai, IR version 8, operators
// of version 18):
//
//	images  uint8 [batch, height, width, channels], of any size
//	logits  float32 [batch, classes]
//
// Scaling, normalising and resizing of pixels are part of it. The classes' names
// are in its metadata, one a line. A network with blocks that are none of this
// project's is an error.
//
// No kept Go library writes ONNX, and its messages are few: they are put
// together here by their field numbers in onnx.proto.
func WriteONNX(w io.Writer, config models.Config, named map[string]*tensors.Tensor, classes []string) error {
	variables, err := config.Variables()
	if err != nil {
		return err
	}
	o := &onnx{config: config, weights: map[string]array{}}
	for _, v := range variables {
		t := named[v.Path]
		if t == nil {
			return fmt.Errorf("weights lack %s", v.Path)
		}
		values, err := float32s(t)
		if err != nil {
			return fmt.Errorf("weights %s: %w", v.Path, err)
		}
		if int64(len(values)) != v.Size() {
			return fmt.Errorf("weights hold %s with %d values, the model wants %d", v.Path, len(values), v.Size())
		}
		o.weights[v.Path] = array{v.Dims, values}
	}
	if err := o.network(); err != nil {
		return err
	}
	model := o.model(classes)
	if len(model) > maxONNX {
		return fmt.Errorf("the model takes %d bytes; allowed by ONNX: %d", len(model), maxONNX)
	}
	_, err = w.Write(model)
	return err
}

// array is a constant of a graph.
type array struct {
	dims   []int
	values []float32
}

// onnx is a graph being put together. Values are known by their names.
type onnx struct {
	config  models.Config
	weights map[string]array
	graph   message // GraphProto: nodes and initializers
	count   int     // nodes and constants so far
}

// message is a protocol buffer being written.
type message []byte

func (m *message) integer(field protowire.Number, v int64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), uint64(v))
}

func (m *message) text(field protowire.Number, v string) {
	*m = protowire.AppendString(protowire.AppendTag(*m, field, protowire.BytesType), v)
}

func (m *message) bytes(field protowire.Number, v []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), v)
}

func (m *message) float(field protowire.Number, v float32) {
	*m = protowire.AppendFixed32(protowire.AppendTag(*m, field, protowire.Fixed32Type), math.Float32bits(v))
}

// Types of TensorProto.DataType and AttributeProto.AttributeType.
const (
	onnxFloat, onnxUint8, onnxInt64             = 1, 2, 7
	attributeFloat, attributeInt, attributeText = 1, 2, 3
	attributeInts                               = 7
)

// node adds an operation and returns the name of its output.
func (o *onnx) node(operator string, inputs []string, attributes ...message) string {
	o.count++
	out := fmt.Sprintf("%s_%d", operator, o.count)
	o.named(operator, inputs, out, attributes...)
	return out
}

func (o *onnx) named(operator string, inputs []string, out string, attributes ...message) {
	var n message // NodeProto
	for _, in := range inputs {
		n.text(1, in)
	}
	n.text(2, out)
	n.text(3, out)
	n.text(4, operator)
	for _, a := range attributes {
		n.bytes(5, a)
	}
	o.graph.bytes(1, n)
}

func attribute(name string, kind int64) (a message) {
	a.text(1, name)
	a.integer(20, kind)
	return a
}

func integer(name string, v int) message {
	a := attribute(name, attributeInt)
	a.integer(3, int64(v))
	return a
}

func float(name string, v float64) message {
	a := attribute(name, attributeFloat)
	a.float(2, float32(v))
	return a
}

func text(name, v string) message {
	a := attribute(name, attributeText)
	a.text(4, v)
	return a
}

func integers(name string, v ...int) message {
	a := attribute(name, attributeInts)
	for _, i := range v {
		a.integer(8, int64(i))
	}
	return a
}

// tensor adds an initializer (TensorProto) of raw little-endian values.
func (o *onnx) tensor(name string, kind int64, dims []int, raw []byte) string {
	var t message
	for _, d := range dims {
		t.integer(1, int64(d))
	}
	t.integer(2, kind)
	t.text(8, name)
	t.bytes(9, raw)
	o.graph.bytes(5, t)
	return name
}

// constant adds float values under a name.
func (o *onnx) constant(name string, values []float32, dims ...int) string {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return o.tensor(name, onnxFloat, dims, raw)
}

// scalar adds a number.
func (o *onnx) scalar(v float64) string {
	o.count++
	return o.constant(fmt.Sprintf("number_%d", o.count), []float32{float32(v)})
}

// indices adds a list of integers: a shape, sizes or axes.
func (o *onnx) indices(v ...int) string {
	raw := make([]byte, 0, 8*len(v))
	for _, i := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(int64(i)))
	}
	o.count++
	return o.tensor(fmt.Sprintf("indices_%d", o.count), onnxInt64, []int{len(v)}, raw)
}

// model is the whole file (ModelProto).
func (o *onnx) model(classes []string) []byte {
	g := o.graph
	g.text(2, "patchlab")
	g.bytes(11, valueInfo("images", onnxUint8, "batch", "height", "width", o.config.Channels))
	g.bytes(12, valueInfo("logits", onnxFloat, "batch", o.config.Classes))

	var operators, m message
	operators.text(1, "")
	operators.integer(2, opset)
	m.integer(1, 8)
	m.text(2, "patchlab")
	m.bytes(7, g)
	m.bytes(8, operators)
	for _, entry := range [][2]string{{"model", o.config.ID}, {"classes", strings.Join(classes, "\n")}} {
		var e message // StringStringEntryProto
		e.text(1, entry[0])
		e.text(2, entry[1])
		m.bytes(14, e)
	}
	return m
}

// valueInfo describes an input or output, whose dimensions are numbers or names.
func valueInfo(name string, kind int64, dims ...any) (info message) {
	var shape, tensor, typ message
	for _, d := range dims {
		var dim message
		switch d := d.(type) {
		case int:
			dim.integer(1, int64(d))
		case string:
			dim.text(2, d)
		}
		shape.bytes(1, dim)
	}
	tensor.integer(1, kind)
	tensor.bytes(2, shape)
	typ.bytes(1, tensor)
	info.text(1, name)
	info.bytes(2, typ)
	return info
}
