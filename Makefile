# make check is the whole truth: what passes it can land.

# Tool versions, pinned here and nowhere else.
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
DEADCODE      := golang.org/x/tools/cmd/deadcode@v0.52.0
BENCHSTAT     := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
NATS          := github.com/nats-io/natscli/nats@v0.5.1

BIN      := $(CURDIR)/bin
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null)
FUZZTIME ?= 20000x

.PHONY: build test check generate generated fmt lint vet race serial fuzz deadcode tidy tour bench clean

build: ## the static binary, in bin/
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN)/modelbus ./cmd/modelbus

test:
	go test ./...

check: fmt lint vet tidy generated deadcode race serial fuzz tour

fmt: $(BIN)/golangci-lint
	$(BIN)/golangci-lint fmt --diff

lint: $(BIN)/golangci-lint
	$(BIN)/golangci-lint run

vet:
	go vet ./...
	GOARCH=arm64 go vet ./...
	GOARCH=386 go vet ./...
	GOOS=windows go vet ./registry/cache
	GOOS=darwin go vet ./registry/cache
	cd model/kernel/gen && go vet ./...

generate: ## the assembly of model/kernel
	go generate ./model/kernel

generated: ## what is committed is what the generator writes
	@before=$$(mktemp -d) && cp model/kernel/*_amd64.s model/kernel/*_stubs_amd64.go $$before && $(MAKE) -s generate && \
		for f in $$before/*; do cmp $$f model/kernel/$$(basename $$f) || exit 1; done

race:
	CGO_ENABLED=1 go test -race -vet=off ./...

serial: ## another scheduler, another order, other bugs; the go command itself may use all processors
	go test -vet=off -shuffle=on -exec 'env GOMAXPROCS=1' ./...

# FUZZTIME counts inputs: a time limit can end a run with "context deadline exceeded" though nothing failed.
fuzz: ## every fuzz target for FUZZTIME inputs, two packages at a time, those with most targets first
	@grep -rE '^func Fuzz' --include='*_test.go' . | sed 's,/[^/]*_test.go:.*,,' | sort | uniq -c | sort -rn | awk '{print $$2}' | \
		xargs -P2 -I{} .ci/fuzz {} $(FUZZTIME)

deadcode: $(BIN)/deadcode
	@out=$$($(BIN)/deadcode -test ./...); if [ -n "$$out" ]; then echo "$$out"; exit 1; fi

tidy:
	go mod tidy -diff

tour: build $(BIN)/nats ## the README's commands, as written
	PATH="$(BIN):$$PATH" go test -tags tour -count=1 -run TestTour ./cmd/modelbus

bench: $(BIN)/benchstat
	go test -run '^$$' -bench . -benchmem -count 6 ./... | tee $(BIN)/bench.txt
	$(BIN)/benchstat $(BIN)/bench.txt

clean:
	rm -rf $(BIN)

# A tool is installed again when its version above changes.
$(BIN)/golangci-lint: Makefile ; GOBIN=$(BIN) go install $(GOLANGCI_LINT) && touch $@
$(BIN)/deadcode: Makefile      ; GOBIN=$(BIN) go install $(DEADCODE) && touch $@
$(BIN)/benchstat: Makefile     ; GOBIN=$(BIN) go install $(BENCHSTAT) && touch $@
$(BIN)/nats: Makefile          ; GOBIN=$(BIN) go install $(NATS) && touch $@
