package ordered

// Append appends v as JSON text. With an indentation every member and item
// stands on its own line; with "" all stand on one, without spaces.
func Append(dst []byte, v Value, indent string) []byte {
	return appendValue(dst, v, indent, 0)
}

func appendValue(dst []byte, v Value, indent string, depth int) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case Scalar:
		return append(dst, v...)
	case *Array:
		if len(v.Items) == 0 {
			return append(dst, "[]"...)
		}
		dst = append(dst, '[')
		for i, item := range v.Items {
			dst = newLine(dst, i, indent, depth+1)
			dst = appendValue(dst, item, indent, depth+1)
		}
		return append(newLine(dst, 0, indent, depth), ']')
	case *Object:
		if v.Len() == 0 {
			return append(dst, "{}"...)
		}
		dst = append(dst, '{')
		for i, m := range v.members {
			dst = newLine(dst, i, indent, depth+1)
			dst = append(append(dst, m.raw...), ':')
			if indent != "" {
				dst = append(dst, ' ')
			}
			dst = appendValue(dst, m.value, indent, depth+1)
		}
		return append(newLine(dst, 0, indent, depth), '}')
	}
	return dst
}

// newLine begins item i on its line.
func newLine(dst []byte, i int, indent string, depth int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	if indent == "" {
		return dst
	}
	dst = append(dst, '\n')
	for range depth {
		dst = append(dst, indent...)
	}
	return dst
}
