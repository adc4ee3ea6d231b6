# Targets for developers; users need only `go run ./cmd/patchlab`.

.PHONY: test test-pytorch test-timm deps lint race bench-tracker bench-scale bench-trackers bench-serve bench-training bench-dropout bench-kernel bench-epoch bench-scaling notebooks gallery build clean

# Pure-Go rooms, which the race detector covers.
RACE := ./datasets/... ./tracker/... ./compare/... ./cmd/compare/... ./cmd/internal/... ./kernel/... ./web/... ./viz/... ./coursework/... ./save/...

## test: lint, install what the tests need, the race detector, then all tests
test: lint deps race
	go test -timeout 30m ./...

## deps: XLA's plugin, the Python clients that tests speak to, pinned by hash; as root a browser and Slurm by apt-get
deps:
	go run ./cmd/patchlab setup --no-data
	scripts/python-env.sh keras models/testdata/requirements.txt
	scripts/python-env.sh mlflow tracker/server/testdata/requirements.txt
	scripts/python-env.sh jupyter kernel/testdata/requirements.txt
	scripts/python-env.sh onnx weights/testdata/onnx.txt
	go run ./cmd/patchlab kernel install --tools-only
	scripts/python-env.sh kubernetes cmd/patchlab/testdata/kubernetes.txt
	scripts/slurm.sh install
	scripts/chromium.sh

## lint: formatting, vet, staticcheck
lint:
	@files=$$(gofmt -l .); test -z "$$files" || { echo "gofmt -w $$files"; exit 1; }
	go vet ./...
	go tool -modfile=tools/go.mod staticcheck ./...

## race: the pure-Go rooms under the race detector
race:
	go test -race -short -timeout 20m $(RACE)

## test-pytorch: Lightning under the mlflow client's autologging, recorded here (installs torch with CUDA: gigabytes)
test-pytorch:
	scripts/python-env.sh pytorch tracker/server/testdata/pytorch.txt
	PATCHLAB_PYTORCH=1 go test -run TestPyTorch -count=1 -v ./tracker/server

## test-timm: every architecture of papers beside timm on PyTorch, which the system's Python must have:
##            apt-get install python3-torch python3-torchvision (150 MB, without CUDA)
test-timm:
	PATCHLAB_PYTHON=$${PATCHLAB_PYTHON:-/usr/bin/python3} scripts/python-env.sh timm weights/testdata/timm.txt --system-site-packages
	PATCHLAB_TIMM=1 go test -run 'TestTimm$$' -count=1 -v -timeout 30m ./weights

## bench-trackers: the same recording work in seven trackers, side by side, into results/
bench-trackers:
	bench/trackers/run.sh

## bench-serve: patchlab serve beside mlflow server on SQLite, into results/serve.md
bench-serve:
	bench/trackers/serve.sh

## bench-training: training and inference beside Keras, JAX and PyTorch, into results/
bench-training:
	bench/training/run.sh $(ARGS)

## bench-dropout: the dieharder battery on the words that decide dropout's masks, into results/dropout.txt
bench-dropout:
	bench/dropout/run.sh

## bench-tracker: the tracker's own benchmarks, into results/tracker-benchmarks.txt
bench-tracker:
	bench/tracker/run.sh

## bench-scale: a tracker with 100,000 runs and 1e8 points, into results/tracker-scale.md: half an hour, 1.3 GB meanwhile
bench-scale:
	bench/tracker/scale.sh

## bench-kernel: Patchlab's kernel beside plain GoNB, into results/: leave the machine alone meanwhile
bench-kernel:
	bench/kernel/run.sh

## bench-epoch: what an epoch costs beyond its bare steps, into results/epoch.txt: leave the machine alone meanwhile
bench-epoch:
	bench/epoch/run.sh

## bench-scaling: how cost grows with tokens, width, depth and batch, into results/scaling.*
bench-scaling:
	bench/scaling/run.sh

## notebooks: make the six notebooks of their answers, run them and keep their outputs
notebooks:
	scripts/notebooks.sh

## gallery: the six notebooks as pages, in build/gallery
gallery:
	go run ./notebooks/gallery -o build/gallery

## build: the programs into bin/
build:
	go build -o bin/ ./cmd/...

clean:
	rm -rf bin build .venv
