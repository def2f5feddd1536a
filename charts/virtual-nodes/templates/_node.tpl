{{- /* One Node. Takes its name, its entry in the values, and what is known about its type (may be empty). */}}
{{- define "virtual-nodes.node" -}}
{{- $resources := dict }}
{{- $own := .entry.resources | default dict }}
{{- range $given := list .preset.resources (omit $own "dra") }}
{{- range $name, $quantity := $given }}
{{- $_ := set $resources $name (include "virtual-nodes.text" $quantity) }}
{{- end }}
{{- end }}
{{- /* What devices serve must not be in the capacity too: pods would use up that, and never the devices. */}}
{{- with $own.dra }}
{{- $served := include "virtual-nodes.extendedResourceName" . }}
{{- if not (hasKey $own $served) }}
{{- $_ := unset $resources $served }}
{{- end }}
{{- end }}
{{- $architecture := .preset.architecture | default "amd64" }}
{{- $labels := dict
  "beta.kubernetes.io/arch" $architecture
  "beta.kubernetes.io/os" "linux"
  "kubernetes.io/arch" $architecture
  "kubernetes.io/os" "linux"
  "kubernetes.io/role" "agent"
  "node-role.kubernetes.io/agent" ""
}}
{{- range $key, $value := .entry.labels }}
{{- $_ := set $labels $key (include "virtual-nodes.text" $value) }}
{{- end }}
{{- /* These are not for the user to choose. */}}
{{- $_ := set $labels "kubernetes.io/hostname" .name }}
{{- $_ := set $labels "type" "kwok" }}
{{- $annotations := dict "node.alpha.kubernetes.io/ttl" "0" }}
{{- range $key, $value := .entry.annotations }}
{{- $_ := set $annotations $key (include "virtual-nodes.text" $value) }}
{{- end }}
{{- /* KWOK takes care of nodes with this annotation. */}}
{{- $_ := set $annotations "kwok.x-k8s.io/node" "fake" }}
{{- $taken := dict }}
{{- range .entry.conditions }}
{{- $_ := set $taken .type true }}
{{- end }}
apiVersion: v1
kind: Node
metadata:
  name: {{ .name | quote }}
  labels:
    {{- range $key, $value := $labels }}
    {{ $key | quote }}: {{ $value | quote }}
    {{- end }}
  annotations:
    {{- range $key, $value := $annotations }}
    {{ $key | quote }}: {{ $value | quote }}
    {{- end }}
{{- with .entry.taints }}
spec:
  taints:
  {{- range . }}
  - key: {{ .key | quote }}
    {{- if hasKey . "value" }}
    value: {{ include "virtual-nodes.text" .value | quote }}
    {{- end }}
    effect: {{ .effect | quote }}
  {{- end }}
{{- end }}
status:
  phase: Running
  {{- range $field := list "capacity" "allocatable" }}
  {{ $field }}:
    {{- range $name, $quantity := $resources }}
    {{ $name | quote }}: {{ $quantity | quote }}
    {{- end }}
  {{- end }}
  conditions:
  {{- /* What a healthy kubelet reports; KWOK keeps these up to date afterwards. */}}
  {{- range list
    (dict "type" "MemoryPressure" "status" "False" "reason" "KubeletHasSufficientMemory" "message" "kubelet has sufficient memory available")
    (dict "type" "DiskPressure" "status" "False" "reason" "KubeletHasNoDiskPressure" "message" "kubelet has no disk pressure")
    (dict "type" "PIDPressure" "status" "False" "reason" "KubeletHasSufficientPID" "message" "kubelet has sufficient PID available")
    (dict "type" "Ready" "status" "True" "reason" "KubeletReady" "message" "kubelet is posting ready status")
  }}
  {{- if not (hasKey $taken .type) }}
  {{- include "virtual-nodes.condition" . | nindent 2 }}
  {{- end }}
  {{- end }}
  {{- range .entry.conditions }}
  {{- include "virtual-nodes.condition" . | nindent 2 }}
  {{- end }}
  nodeInfo:
    architecture: {{ get $labels "kubernetes.io/arch" | quote }}
    operatingSystem: {{ get $labels "kubernetes.io/os" | quote }}
    kubeletVersion: fake
    kubeProxyVersion: fake
    bootID: ""
    containerRuntimeVersion: ""
    kernelVersion: ""
    machineID: ""
    osImage: ""
    systemUUID: ""
{{- end }}

{{- define "virtual-nodes.condition" -}}
- type: {{ .type | quote }}
  status: {{ .status | toString | title | quote }}
  reason: {{ .reason | default "" | quote }}
  message: {{ .message | default "" | quote }}
{{- end }}

{{- /* A scalar of the values as text: Helm reads every number as a float, and a whole one must not get an exponent. */}}
{{- define "virtual-nodes.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ printf "%.0f" . }}{{ else }}{{ . }}{{ end }}
{{- end }}
