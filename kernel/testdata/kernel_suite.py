"""jupyter-kernel-test's whole suite with samples in Go. Run by TestJupyterKernelTest."""
import unittest

import jupyter_kernel_test as jkt

SHOW = 'import "patchlab/kernel/cell/show"\n%%\n'


class Patchlab(jkt.KernelTests):
    kernel_name = "patchlab"
    language_name = "go"
    file_extension = ".go"
    code_hello_world = '%%\nfmt.Println("hello, world")'
    code_stderr = '%%\nfmt.Fprintln(os.Stderr, "oops")'
    completion_samples = [
        {"text": "fmt.Printl", "matches": {"Println"}},
        {"text": "%%\nx := strings.ToUpperS", "matches": {"ToUpperSpecial"}},
        {"text": "%noau", "matches": {"%noautoget"}},
    ]
    complete_code_samples = ["x := 1", "func f() int {\n\treturn 1\n}", '%%\nfmt.Println("x")', "!ls"]
    incomplete_code_samples = ["func f() {", "x := []int{1,", "fmt.Println(", "x := `a"]
    invalid_code_samples = ["x := )", "var var", "}"]
    code_page_something = "fmt.Println?"
    code_generate_error = '%%\npanic("no")'
    code_execute_result = [
        {"code": "1 + 2", "result": "3"},
        {"code": "%%\nx := 6\nx * 7", "result": "42"},
        {"code": '[]string{"a"}', "result": "[a]"},
    ]
    code_display_data = [
        {"code": SHOW + 'show.SVG("<svg xmlns=\'http://www.w3.org/2000/svg\'/>")', "mime": "image/svg+xml"},
        {"code": SHOW + 'show.HTML("<b>bold</b>")', "mime": "text/html"},
        {"code": SHOW + 'show.Markdown("*slanted*")', "mime": "text/markdown"},
    ]
    code_history_pattern = "1?+*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "fmt.Println"
    code_clear_output = """!echo '{"msg_type":"clear_output","content":{"wait":false}}' >$PATCHLAB_CELL_PIPE"""


class Welcome(jkt.IopubWelcomeTests):
    kernel_name = "patchlab"
    support_iopub_welcome = True


if __name__ == "__main__":
    # The programs behind the kernel are cold at first, and the suite's own patience is a second after each reply.
    unittest.main(verbosity=2)
