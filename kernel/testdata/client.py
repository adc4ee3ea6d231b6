"""A client that starts the kernel, has a cell run, prints the kernel's process number and waits to be killed."""
import sys
import time

from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="patchlab", startup_timeout=120)
client.execute("!(setsid sleep 4000 >/dev/null 2>&1 </dev/null &) ; echo on; sleep 4001")
while True:
    message = client.get_iopub_msg(timeout=120)
    if message["msg_type"] == "stream":
        break
print(manager.provisioner.pid, flush=True)
time.sleep(float(sys.argv[1]))
