package client_test

import (
	"testing"

	"github.com/modelbus/modelbus/embedded/embeddedtest"
)

func TestMain(m *testing.M) { embeddedtest.VerifyTestMain(m) }
