"""A client that starts the kernel, has a cell run, completes a name meanwhile, prints the kernel's process number and
waits to be killed."""
import sys
import time

from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="patchlab", startup_timeout=120)
client.execute("!(setsid sleep 4000 >/dev/null 2>&1 </dev/null &) ; echo on; sleep 4001")
while True:
    message = client.get_iopub_msg(timeout=120)
    if message["msg_type"] == "stream":
        break
asked = client.complete("fmt.Printl")
while True:
    reply = client.get_shell_msg(timeout=120)
    if reply["parent_header"].get("msg_id") == asked:
        break
if "Println" not in reply["content"]["matches"]:
    sys.exit(f"completed {reply['content']}")
print(manager.provisioner.pid, flush=True)
time.sleep(float(sys.argv[1]))
